// read_data.cpp - the data of a stage: its sources by name, mixtures of several, and the part that is held out.
#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "data/choice_rows.hpp"
#include "pipeline/foreign_names.hpp"
#include "pipeline/read_source.hpp"

namespace rgm {
namespace {

// All of them have one, or none; together they are a whole step. `why_none`: where no step draws from them.
void check_shares(const Yaml& list, std::vector<YamlMap>& parts, const std::string& why_none, const DataSpec& spec) {
  constexpr double tolerance = 1e-6;  // three times 0.3333333 is a whole
  const auto has_share = [](const YamlMap& part) { return part.has("share"); };
  const auto first = std::ranges::find_if(parts, has_share);
  if (first == parts.end()) return;
  if (!why_none.empty()) {
    first->key("share").problem(why_none);
    return;
  }
  double sum = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    sum += spec.parts[i].share;
    if (!parts[i].lacks("share") && spec.parts[i].share == 0) return;  // what is wrong with it was said
    if (parts[i].lacks("share"))
      parts[i].yaml().problem(fmt::format("\"{}\" has no share, but \"{}\" has one: give each of them one, or none",
                                          parts[i].yaml().path(), first->yaml().path()));
  }
  if (std::ranges::all_of(parts, has_share) && std::abs(sum - 1) > tolerance)
    list.problem(fmt::format("the shares in \"{}\" add up to {:.8g}, expected 1", list.path(), sum));
}

// A list of entries, of which a step draws some from each.
void read_mixture(Reader& reader, const Yaml& list, const Wishes* wishes, const std::string& who,
                  const std::string& why_none, DataSpec& spec) {
  std::vector<YamlMap> parts;
  for (const Yaml& one : list.one_or_list()) {
    YamlMap& map = parts.emplace_back(one, "a source of data");
    DataSpec& part = spec.parts.emplace_back();
    read_source(reader, map, wishes, who, part);
    read_share(map, part);
    map.finish();
  }
  if (parts.empty()) list.problem("an empty list, expected at least one source: {FORMAT: FILE}");
  check_shares(list, parts, why_none, spec);
}

// `validation: {split: 0.1}` takes the tail of the training data; of a mixture, of each part.
void split_off(const Yaml& split, const std::string& train, Stage& out) {
  const auto part = split.number({.min = 0, .max = 1, .above = true, .below = true});
  if (!part) return;
  const auto whole = out.data.find(train);
  if (whole == out.data.end()) return;  // a source that is needed, and said to be
  DataSpec& all_held_out = out.data["validation"] = whole->second;
  for (size_t i = 0; i < parts_of(all_held_out).size(); ++i) {
    DataSpec &trained = parts_of(whole->second)[i], &held_out = parts_of(all_held_out)[i];
    held_out.split = *part;
    held_out.split_begin = trained.split_end - *part * (trained.split_end - trained.split_begin);
    held_out.share = 0;
    trained.split_end = held_out.split_begin;
  }
}

// Why no part can have a share; empty where steps draw from the source.
std::string why_no_shares(const std::string& source, const Sources& sources, const Stage& stage) {
  if (source == "validation" || source == choices_source)
    return "held-out data is read as a whole, so its parts have no shares: leave \"share\" out";
  if (sources.known && source == sources.main && !trains(stage))
    return fmt::format("strategy \"{}\" goes through its data once, so its parts have no shares: leave \"share\" out",
                       stage.strategy.id);
  return "";
}

// What `data:` has under one name. A split is only noted: it is of a source that may come later.
void read_entry(Reader& reader, const YamlMap::Item& item, const Sources& sources, Stage& out,
                std::optional<Yaml>& split) {
  const std::vector<std::string> names = sources.names();
  if (sources.known && !std::count(names.begin(), names.end(), item.name)) {
    const std::string near = did_you_mean(item.name, names);
    const std::string answer = answer_to_foreign_name("data", item.name, names);
    item.key.problem(fmt::format("strategy \"{}\" does not read \"{}\"{}", out.strategy.id, item.name,
                                 !answer.empty() ? ": " + answer
                                 : !near.empty() ? near
                                                 : "; it reads: " + join(names)));
    return;
  }
  const auto wishes = sources.wishes.find(item.name == "validation" ? sources.main : item.name);
  const Wishes none;
  const Wishes* known = !sources.known ? nullptr : wishes == sources.wishes.end() ? &none : &wishes->second;
  const bool is_of_choices = sources.known && item.name == choices_source && wishes == sources.wishes.end();
  if (is_of_choices) known = &choice_columns();
  if (item.value.is_list()) {
    read_mixture(reader, item.value, known, out.strategy.id, why_no_shares(item.name, sources, out),
                 out.data[item.name]);
    return;
  }
  YamlMap map(item.value, "a source of data");
  if (item.name == "validation" && map.has("split")) {
    split.emplace(*map.find("split"));
  } else {
    DataSpec& spec = out.data[item.name];
    read_source(reader, map, known, out.strategy.id, spec);
    read_share(map, spec);
    if (map.has("share"))
      map.key("share").problem(
          "\"share\" is how much of each step comes from one of several sources, and this is the only one: leave "
          "it out, or write a list of sources; for a part of the file write begin and end");
  }
  map.finish();
}

}  // namespace

void read_data(Reader& reader, YamlMap& stage, Stage& out) {
  const auto given = stage.find("data");
  std::optional<YamlMap> data;
  if (given) data.emplace(*given, "data");
  const Sources sources = sources_of(out, data ? &*data : nullptr);
  for (const std::string& clash : sources.clashes) stage.key("reward").problem(clash);

  std::optional<Yaml> split;
  if (data)
    for (const YamlMap::Item& item : data->items()) read_entry(reader, item, sources, out, split);
  if (split) split_off(*split, sources.known ? sources.main : "train", out);

  for (const auto& [source, wishes] : sources.wishes)
    if (sources.needs(source) && !out.data.count(source) && (data ? data->lacks(source) : stage.lacks("data"))) {
      std::vector<std::string> columns;
      for (const ColumnWish& w : wishes)
        if (!(w.flags & RGM_OPTIONAL)) columns.push_back(w.name);
      const Yaml& place = given ? stage.key("data") : stage.yaml();
      place.problem(fmt::format("strategy \"{}\" reads \"{}\" with {}: write data: {{{}: {{FORMAT: FILE}}}} with {}",
                                out.strategy.id, source, join(columns), source, join(data_formats())));
    }
}

}  // namespace rgm
