// read_columns.cpp - which of a file's columns become which of those that a stage reads, conversations among them.
#include <algorithm>

#include "base/text.hpp"
#include "data/choice_rows.hpp"
#include "pipeline/read_source.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

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

}  // namespace

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
    const bool is_chat = item.value.is_map() && YamlMap(item.value, "a column").has("messages");
    if (wishes == &choice_columns() && item.value.is_map() && !(is_chat && item.name == "prompt")) {
      item.value.problem(
          fmt::format("\"{}\" is a column or a template over the row; only \"prompt\" can be {{messages: name}}",
                      item.value.path()));
    } else if (is_chat) {
      YamlMap chat(item.value, "a conversation");
      column.chat = read_chat(reader, chat, column);
      chat.finish();
    } else if (item.value.is_list() && item.name == "choices" && wishes == &choice_columns()) {
      for (const Yaml& one : item.value.one_or_list())
        if (const auto name = one.text()) column.several.push_back(*name);
      column.from = item.name;
      if (column.several.size() < 2)
        item.value.problem("a question has at least two choices: name the columns, templates or texts that they are");
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
    map.key("text").problem(fmt::format(
        "strategy \"{}\" reads the columns {}, but plain text has none: use jsonl, json, csv, tsv or parquet", who,
        join(required)));
}

}  // namespace rgm
