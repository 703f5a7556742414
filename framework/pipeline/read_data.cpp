// read_data.cpp - the data of a stage: the files and columns of each source, and the part that is held out.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <span>

#include "base/text.hpp"
#include "pipeline/data_sources.hpp"
#include "pipeline/foreign_names.hpp"
#include "pipeline/reader.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

const std::vector<std::string> formats = {"text", "jsonl", "json", "csv", "tsv"};

// What can be known without reading them. An empty file does no harm beside others in a folder.
void check_files(const Yaml& one, const fs::path& given, std::span<const fs::path> files) {
  const auto is_closed = [](const fs::path& file) { return ::access(file.c_str(), R_OK) != 0; };
  const auto is_empty = [](const fs::path& file) {
    std::error_code error;
    return fs::is_regular_file(file, error) && fs::is_empty(file, error);
  };
  if (const auto closed = std::ranges::find_if(files, is_closed); closed != files.end())
    one.problem(fmt::format("{} cannot be read: {}", closed->string(), std::strerror(errno)));
  else if (std::ranges::all_of(files, is_empty))
    one.problem(fmt::format("{} is empty{}", given.string(), files.size() > 1 ? ", as is every file in it" : ""));
}

void add_files(Reader& reader, const Yaml& given, DataSpec& out) {
  for (const Yaml& one : given.one_or_list()) {
    const auto name = one.text();
    if (!name) continue;
    try {
      const fs::path found = find_file(reader.file, *name);
      std::vector<fs::path> inside;
      const std::string ending = out.format == "text" ? ".txt" : "." + out.format;
      if (!fs::is_directory(found))
        inside.push_back(found);
      else
        for (const auto& entry : fs::recursive_directory_iterator(found))
          if (entry.is_regular_file() && entry.path().extension() == ending) inside.push_back(entry.path());
      std::sort(inside.begin(), inside.end());
      if (inside.empty())
        one.problem(fmt::format("the folder {} has no *{} files in it", found.string(), ending));
      else
        check_files(one, inside.size() == 1 ? inside[0] : found, inside);
      out.files.insert(out.files.end(), inside.begin(), inside.end());
    } catch (const Error& e) {
      one.problem(e.what());
    } catch (const fs::filesystem_error& e) {
      one.problem(fmt::format("\"{}\" cannot be read: {}", *name, e.code().message()));
    }
  }
  if (given.is_list() && given.node().size() == 0) given.problem("an empty list, expected at least one file");
}

// {messages: name in the file, prompt: the messages before them, roles: [assistant], template: chatml}
ChatMap read_chat(const Reader& reader, YamlMap& map, ColumnMap& column) {
  ChatMap out;
  map.read("messages", column.from);
  if (std::string prompt; map.read("prompt", prompt)) column.prompt = prompt;
  if (const auto roles = map.find("roles")) {
    out.roles.clear();
    for (const Yaml& one : roles->one_or_list())
      if (const auto role = one.text()) out.roles.push_back(*role);
    if (out.roles.empty())
      roles->problem("an empty list, expected the roles whose words are learned, as in [assistant]");
  }
  const auto given = map.find("template");
  const auto name = given ? given->text() : std::nullopt;
  if (!name) return out;
  const std::vector<std::string> known = chat_template_names();
  if (std::ranges::find(known, *name) != known.end()) {
    out.template_name = *name;
  } else if (!name->ends_with(".jinja")) {
    given->problem(not_known("chat template", *name, known) + ", or a file.jinja beside the pipeline");
  } else {
    try {
      out.template_file = find_file(reader.file, *name);
      const TokenizerPtr any = byte_tokenizer();
      (void)ChatTemplate(read_file(out.template_file), out.template_file.string(), *any);
    } catch (const Error& e) {
      given->problem(e.what());
    }
  }
  return out;
}

void read_columns(const Reader& reader, const Yaml& given, const Wishes* wishes, DataSpec& out) {
  YamlMap map(given, "columns");
  std::vector<std::string> known;
  if (wishes)
    for (const ColumnWish& w : *wishes) known.push_back(w.name);
  for (const YamlMap::Item& item : map.items()) {
    const bool any = std::count(known.begin(), known.end(), every_column) > 0;
    if (wishes && !any && !std::count(known.begin(), known.end(), item.name)) {
      const std::string near = did_you_mean(item.name, known);
      const std::string all = known.empty() ? "; no column is"
                                            : fmt::format("; it reads {}: write {{{}: \"{}\"}}, the name here first",
                                                          join(known), known[0], item.name);
      item.key.problem(fmt::format("column \"{}\" is not read here{}", item.name, near.empty() ? all : near));
      continue;
    }
    ColumnMap column{item.name, "", std::nullopt};
    if (item.value.is_map() && YamlMap(item.value, "a column").has("messages")) {
      YamlMap chat(item.value, "a conversation");
      column.chat = read_chat(reader, chat, column);
      chat.finish();
    } else if (item.value.is_map()) {
      YamlMap pair(item.value, "a column");
      std::string prompt;
      if (pair.read("prompt", prompt)) column.prompt = prompt;
      if (!pair.has("prompt") || !pair.has("answer"))
        item.value.problem(fmt::format(
            "\"{}\" should have both: {{prompt: name in the file, answer: name in the file}}; or {{messages: name}}",
            item.value.path()));
      pair.read("answer", column.from);
      pair.finish();
    } else if (const auto from = item.value.text()) {
      column.from = *from;
    }
    out.columns.push_back(std::move(column));
  }
}

void check_text_fits(const YamlMap& map, const Wishes& wishes, const std::string& who) {
  std::vector<std::string> required;
  for (const ColumnWish& w : wishes)
    if (!(w.flags & RGM_OPTIONAL) || wishes.size() == 1)
      required.push_back(w.name == every_column ? "that its options name" : w.name);
  const bool is_one_text = required.size() == 1 && (wishes[0].kind == RGM_TOKENS_COLUMN);
  if (!is_one_text)
    map.key("text").problem(
        fmt::format("strategy \"{}\" reads the columns {}, but plain text has none: use jsonl, json, csv or tsv", who,
                    join(required)));
}

// One entry but the split: `{FORMAT: files, columns: …}` or `{from: STAGE}`.
void read_source(Reader& reader, YamlMap& map, const Wishes* wishes, const std::string& who, DataSpec& spec) {
  const bool from_stage = map.has("from");
  std::vector<std::string> given;
  for (const std::string& format : formats)
    if (const auto files = map.find(format)) {
      given.push_back(format);
      spec.format = format;
      if (!from_stage && given.size() == 1) add_files(reader, *files, spec);
    }
  if (given.size() + from_stage > 1)
    map.yaml().problem(
        fmt::format("\"{}\" names more than one place for its data: keep only one of them", map.yaml().path()));
  const auto lacks = [&](const std::string& format) { return map.lacks(format); };
  if (given.size() + from_stage == 0 && map.yaml().is_map() && lacks("from") &&
      std::all_of(formats.begin(), formats.end(), lacks))
    map.yaml().problem(
        fmt::format("\"{}\" does not say where the data is: write {{FORMAT: FILE}} with {}, or {{from: STAGE}}",
                    map.yaml().path(), join(formats)));
  if (from_stage) {
    spec.format = "jsonl";
    const Yaml from = *map.find("from");
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
  if (const auto columns = map.find("columns")) {
    if (spec.format == "text")
      map.key("columns").problem("plain text has no columns: leave this out, or use jsonl, json, csv or tsv");
    else
      read_columns(reader, *columns, wishes, spec);
  }
  if (spec.format == "text" && wishes && !wishes->empty()) check_text_fits(map, *wishes, who);
}

// `begin: 0.5` and `end: 1`: only this share of the data, so that two stages can read different halves. `share: 0.8`:
// how much of a step comes from it.
void read_share(YamlMap& map, DataSpec& spec) {
  map.read("begin", spec.split_begin, {.min = 0, .max = 1, .below = true});
  map.read("end", spec.split_end, {.min = 0, .max = 1, .above = true});
  if (spec.split_begin >= spec.split_end)
    map.key(map.has("end") ? "end" : "begin")
        .problem(fmt::format("the share from {:g} to {:g} is empty", spec.split_begin, spec.split_end));
  map.read("rows", spec.rows, 1);
  map.read("share", spec.share, {.min = 0, .max = 1, .above = true});
}

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
  if (source == "validation")
    return "held-out data is read as a whole, so its parts have no shares: leave \"share\" out";
  if (sources.known && source == sources.main && !trains(stage))
    return fmt::format("strategy \"{}\" goes through its data once, so its parts have no shares: leave \"share\" out",
                       stage.strategy.id);
  return "";
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
    for (YamlMap::Item& item : data->items()) {
      const std::vector<std::string> names = sources.names();
      if (sources.known && !std::count(names.begin(), names.end(), item.name)) {
        const std::string near = did_you_mean(item.name, names);
        const std::string answer = answer_to_foreign_name("data", item.name, names);
        item.key.problem(fmt::format("strategy \"{}\" does not read \"{}\"{}", out.strategy.id, item.name,
                                     !answer.empty() ? ": " + answer
                                     : !near.empty() ? near
                                                     : "; it reads: " + join(names)));
        continue;
      }
      const auto wishes = sources.wishes.find(item.name == "validation" ? sources.main : item.name);
      const Wishes none;
      const Wishes* const known = !sources.known ? nullptr : wishes == sources.wishes.end() ? &none : &wishes->second;
      if (item.value.is_list()) {
        read_mixture(reader, item.value, known, out.strategy.id, why_no_shares(item.name, sources, out),
                     out.data[item.name]);
        continue;
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
  if (split) split_off(*split, sources.known ? sources.main : "train", out);

  for (const auto& [source, wishes] : sources.wishes)
    if (sources.needs(source) && !out.data.count(source) && (data ? data->lacks(source) : stage.lacks("data"))) {
      std::vector<std::string> columns;
      for (const ColumnWish& w : wishes)
        if (!(w.flags & RGM_OPTIONAL)) columns.push_back(w.name);
      const Yaml& place = given ? stage.key("data") : stage.yaml();
      place.problem(fmt::format("strategy \"{}\" reads \"{}\" with {}: write data: {{{}: {{FORMAT: FILE}}}} with {}",
                                out.strategy.id, source, join(columns), source, join(formats)));
    }
}

}  // namespace rgm
