// to_json.hpp - one value as a row of JSON has it.
#pragma once
#include <nlohmann/json.hpp>

#include "parquet/metadata.hpp"
#include "parquet/values.hpp"

namespace rgm::parquet {

// Texts, numbers and booleans as themselves; JSON as what it says; dates and times as ISO 8601 writes them; decimals as
// numbers where these are exact, else as texts; what JSON has no number for as null. Unsupported: bytes that are no
// text, and what else no row of JSON holds.
nlohmann::ordered_json to_json(const Value& value, const SchemaElement& type);

// The pieces of it that have a file of their own, to_text.cpp.
std::string date_text(int64_t days);
std::string time_text(int64_t units, int64_t second);
std::string timestamp_text(int64_t units, const SchemaElement& type);
std::string int96_text(std::string_view bytes);  // a timestamp of old writers
std::string decimal_text(std::string_view big_endian, int64_t scale);
std::string uuid_text(std::string_view bytes);

}  // namespace rgm::parquet
