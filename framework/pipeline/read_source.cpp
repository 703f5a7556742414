// read_source.cpp - one source of a stage's data: files, or the rows of an earlier stage, and how much of them.
#include "pipeline/read_source.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace rgm {
namespace {

// The rows that an earlier stage leaves.
void read_rows_of_stage(const Reader& reader, const Yaml& from, DataSpec& spec) {
  spec.format = "jsonl";
  const auto name = from.text();
  std::vector<std::string> earlier;
  for (const Stage& stage : reader.stages) {
    if (stage.strategy.component && trains(stage)) {
      if (name && stage.name == *name)
        from.problem(fmt::format("stage \"{}\" leaves a model, but rows are needed here: strategy \"{}\" writes none",
                                 stage.name, stage.strategy.id));
      continue;
    }
    earlier.push_back(stage.name);
  }
  if (name) spec.from_stage = *name;
  const auto is_it = [&](const Stage& s) { return name && s.name == *name; };
  if (name && std::none_of(reader.stages.begin(), reader.stages.end(), is_it))
    from.problem(fmt::format("\"{}\" is not an earlier stage{}; stages before this one that leave rows: {}", *name,
                             did_you_mean(*name, earlier), earlier.empty() ? "none" : join(earlier)));
}

}  // namespace

void read_source(Reader& reader, YamlMap& map, const Wishes* wishes, const std::string& who, DataSpec& spec) {
  const bool from_stage = map.has("from");
  std::vector<std::string> given;
  for (const std::string& format : data_formats())
    if (const auto files = map.find(format)) {
      given.push_back(format);
      spec.format = format;
      if (!from_stage && given.size() == 1) read_files(reader, *files, spec);
    }
  if (given.size() + from_stage > 1)
    map.yaml().problem(
        fmt::format("\"{}\" names more than one place for its data: keep only one of them", map.yaml().path()));
  const auto lacks = [&](const std::string& format) { return map.lacks(format); };
  if (given.size() + from_stage == 0 && map.yaml().is_map() && lacks("from") &&
      std::ranges::all_of(data_formats(), lacks))
    map.yaml().problem(
        fmt::format("\"{}\" does not say where the data is: write {{FORMAT: FILE}} with {}, or {{from: STAGE}}",
                    map.yaml().path(), join(data_formats())));
  if (from_stage) read_rows_of_stage(reader, *map.find("from"), spec);
  if (const auto given_separator = map.find("separator")) {
    const auto text = given_separator->text();
    const auto one = text ? read_separator(*text) : std::nullopt;
    if (spec.format != "csv")
      map.key("separator").problem("\"separator\" parts the fields of a csv, and this is none: leave it out");
    else if (text && !one)
      given_separator->wrong("one character, such as \";\" or \"\\t\"");
    spec.separator = one.value_or(',');
  }
  if (const auto columns = map.find("columns")) {
    if (spec.format == "text")
      map.key("columns").problem("plain text has no columns: leave this out, or use jsonl, json, csv, tsv or parquet");
    else
      read_columns(reader, *columns, wishes, spec);
  }
  if (spec.format == "text" && wishes && !wishes->empty()) check_text_fits(map, *wishes, who);
}

void read_share(YamlMap& map, DataSpec& spec) {
  map.read("begin", spec.split_begin, {.min = 0, .max = 1, .below = true});
  map.read("end", spec.split_end, {.min = 0, .max = 1, .above = true});
  if (spec.split_begin >= spec.split_end)
    map.key(map.has("end") ? "end" : "begin")
        .problem(fmt::format("the share from {:g} to {:g} is empty", spec.split_begin, spec.split_end));
  map.read("rows", spec.rows, 1);
  map.read("share", spec.share, {.min = 0, .max = 1, .above = true});
}

}  // namespace rgm
