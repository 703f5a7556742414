// read_source.hpp - one source of a stage's data, as the check reads it: its files, its columns, its share.
#pragma once
#include <string>
#include <vector>

#include "pipeline/data_sources.hpp"
#include "pipeline/reader.hpp"

namespace rgm {

// -- read_files.cpp
const std::vector<std::string>& data_formats();
void read_files(Reader& reader, const Yaml& given, DataSpec& out);

// -- read_columns.cpp
// `wishes`: what the stage's components read; NULL: nothing is known of that.
void read_columns(const Reader& reader, const Yaml& given, const Wishes* wishes, DataSpec& out);
// A problem where plain text, which has one column, is not enough for what `who` reads.
void check_text_fits(const YamlMap& map, const Wishes& wishes, const std::string& who);

// -- read_source.cpp
// `{FORMAT: files, columns: …}` or `{from: STAGE}`.
void read_source(Reader& reader, YamlMap& map, const Wishes* wishes, const std::string& who, DataSpec& out);
// `begin: 0.5` and `end: 1`: only this share of the data, so that two stages can read different halves. `share: 0.8`:
// how much of a step comes from it.
void read_share(YamlMap& map, DataSpec& out);

}  // namespace rgm
