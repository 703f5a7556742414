// chat_rows.cpp - Alpaca's, ShareGPT's and OpenAI's rows as messages.
#include "data/chat_rows.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "data/rows.hpp"

namespace rgm {
namespace {

std::string text_of(const Row& row, const char* key, const std::string& where) {
  const auto found = row.find(key);
  if (found == row.end() || found->is_null()) return "";
  require(found->is_string(), "{}: \"{}\" is not text", where, key);
  return found->get<std::string>();
}

// ShareGPT's names, as transformers' templates call them.
std::string role_of(const std::string& from) {
  if (from == "human") return "user";
  if (from == "gpt" || from == "bing" || from == "chatgpt") return "assistant";
  return from;
}

Messages::object_t::mapped_type message(const Row& one, size_t i, const std::string& where) {
  require(!is_deeper(one, 50), "{}: message {} is nested more than 50 levels deep", where, i + 1);
  require(one.is_object(), "{}: message {} is a JSON {}, expected {{\"role\": \"user\", \"content\": \"...\"}}", where,
          i + 1, one.type_name());
  const bool share_gpt = one.contains("from") && one.contains("value");
  const auto role = one.find(share_gpt ? "from" : "role"), content = one.find(share_gpt ? "value" : "content");
  require(role != one.end() && role->is_string(),
          "{}: message {} has no \"role\"; expected {{\"role\": \"user\", "
          "\"content\": \"...\"}}",
          where, i + 1);
  const bool says = content != one.end() && (content->is_string() || content->is_array() || content->is_null());
  require(says || (content == one.end() && one.contains("tool_calls")), "{}: message {} of \"{}\" has no \"content\"",
          where, i + 1, role->get<std::string>());
  Messages out = Messages::object();
  for (const auto& [key, value] : one.items()) {  // in their order, which a template may show
    if (key == (share_gpt ? "from" : "role"))
      out["role"] = share_gpt ? role_of(value) : value.get<std::string>();
    else if (key == (share_gpt ? "value" : "content"))
      out["content"] = value;  // null too: a template may ask whether it is none
    else if (!share_gpt)
      out[key] = value;  // tool_calls, name: the template knows them
  }
  return out;
}

Messages alpaca(const Row& row, const std::string& where) {
  const std::string input = text_of(row, "input", where);
  std::string asked = text_of(row, "instruction", where);
  if (!input.empty()) asked += "\n\n" + input;
  Messages out = Messages::array();
  if (const std::string system = text_of(row, "system", where); !system.empty())
    out.push_back({{"role", "system"}, {"content", system}});
  out.push_back({{"role", "user"}, {"content", asked}});
  out.push_back({{"role", "assistant"}, {"content", text_of(row, "output", where)}});
  return out;
}

// By the assistant.
bool is_said(const Row& message) {
  const auto role = message.find(message.contains("from") ? "from" : "role");
  return role != message.end() && role->is_string() && role_of(*role) == "assistant";
}
bool begins_with(const Row& list, const Row& first) {
  return list.size() > first.size() && std::equal(first.begin(), first.end(), list.begin());
}

}  // namespace

Messages messages_of(const Row& row, const ColumnMap& map, const std::string& where, size_t* asked) {
  if (map.chat->alpaca) return alpaca(row, where);
  Messages out = Messages::array();
  const auto add = [&](const std::string& key) {
    const auto found = row.find(key);
    if (map.prompt && key == *map.prompt && found != row.end() && found->is_string())
      return out.push_back({{"role", "user"}, {"content", *found}});
    require(found != row.end() && found->is_array() && !found->empty(),
            "{}: \"{}\" is not a list of messages, as in [{{\"role\": \"user\", \"content\": \"...\"}}]", where, key);
    for (size_t i = 0; i < found->size(); ++i) out.push_back(message((*found)[i], i, where));
  };
  if (map.prompt) add(*map.prompt);
  if (asked) *asked = out.size();
  add(map.from);
  return out;
}

Row beside_messages(const Row& row, const std::string& where) {
  Row out = Row::object();
  for (const char* key : {"tools", "documents"}) {
    require_readable(row, key, where);
    const auto found = row.find(key);
    if (found == row.end() || found->is_null() || *found == "") continue;
    const std::string place = fmt::format("{}: \"{}\"", where, key);
    const Row list = found->is_string() ? parse_json<Row>(found->get<std::string>(), place) : *found;
    require(list.is_array(), "{} is a JSON {}, a list was expected", place, list.type_name());
    out[key] = list;
  }
  if (const auto more = row.find("chat_template_kwargs"); more != row.end() && more->is_object()) out.update(*more);
  return out;
}

std::optional<ColumnMap> recognised(const Row& row, const std::string& column) {
  const auto is = [&](const char* key, bool list) {
    const auto found = row.find(key);
    return found != row.end() && (list ? found->is_array() : found->is_string());
  };
  for (const char* key : {"messages", "conversations"})
    if (is(key, true)) return ColumnMap{column, key, std::nullopt, ChatMap{}};
  if (is("instruction", false) && is("output", false))
    return ColumnMap{column, "output", std::nullopt, ChatMap{.alpaca = true}};
  for (const char* key : {"completion", "response"}) {
    if (is("prompt", false) && is(key, false)) return ColumnMap{column, key, "prompt"};
    auto said = row.contains("prompt") ? recognised_answer(row, key) : std::nullopt;
    if (!said || !said->chat) continue;
    said->column = column;  // messages, behind those of the prompt
    return said;
  }
  return std::nullopt;
}

std::optional<ColumnMap> recognised_answer(const Row& row, const std::string& column) {
  const auto found = row.find(column), prompt = row.find("prompt");
  if (found == row.end()) return std::nullopt;
  const auto is_chat = [](const Row& value) { return value.is_array() && !value.empty() && value.front().is_object(); };
  const bool has_prompt = prompt != row.end() && column != "prompt";
  if (is_chat(*found)) {
    ColumnMap map{column, column, std::nullopt, ChatMap{}};
    // Where the answer does not begin with what was asked, that stands in front.
    const bool begins = has_prompt && (is_chat(*prompt) ? begins_with(*found, *prompt) : !is_said(found->front()));
    if (has_prompt && !begins && (is_chat(*prompt) || prompt->is_string())) map.prompt = "prompt";
    return map;
  }
  // A row without one, as null says, may be the first.
  const bool is_text =
      has_prompt && (prompt->is_string() || prompt->is_null() || (prompt->is_array() && !is_chat(*prompt)));
  return is_text ? std::optional(ColumnMap{column, column, "prompt"}) : std::nullopt;
}

std::string description(const ColumnMap& map) {
  if (map.prompt && map.chat)
    return fmt::format("conversations in \"{}\", of which the loss of {} counts, behind \"{}\"", map.from,
                       join(map.chat->roles), *map.prompt);
  if (map.prompt) return fmt::format("\"{}\", of which the loss counts, behind \"{}\"", map.from, *map.prompt);
  if (map.chat->alpaca) return "\"instruction\", \"input\" and \"output\", of which the loss of the last counts";
  return fmt::format("conversations in \"{}\", of which the loss of {} counts", map.from, join(map.chat->roles));
}

ChatTemplate chat_template_for(const ColumnMap& map, const Tokenizer& tokenizer) {
  const ChatMap& chat = *map.chat;
  if (!chat.template_file.empty()) return {read_file(chat.template_file), chat.template_file.string(), tokenizer};
  if (!chat.template_name.empty())
    return {named_chat_template(chat.template_name), "chat template " + chat.template_name, tokenizer};
  if (auto own = chat_template_of(tokenizer)) return *own;
  require(chat.alpaca,
          "data: the model's tokenizer has no chat template: name one for the column \"{}\", as in columns: {{{}: "
          "{{{}messages: {}, template: chatml}}}}; there are {}, or a file.jinja",
          map.column, map.column, map.prompt ? fmt::format("prompt: {}, ", *map.prompt) : "", map.from,
          join(chat_template_names()));
  return {named_chat_template("alpaca"), "chat template alpaca", tokenizer};
}

}  // namespace rgm
