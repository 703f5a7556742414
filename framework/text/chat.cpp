// chat.cpp - rendering conversations, with what transformers hands to a template beside the messages.
#include "text/chat.hpp"

#include <regex>

#include "base/error.hpp"

namespace rgm {
namespace {

using Json = nlohmann::ordered_json;

// A role of special tokens in tokenizer_config.json: a name, or an object with one.
Json special(const nlohmann::json& config, const char* role) {
  const auto found = config.find(role);
  if (found == config.end()) return nullptr;
  if (found->is_object()) {
    const auto content = found->find("content");
    return content != found->end() && content->is_string() ? Json(content->get<std::string>()) : Json();
  }
  return found->is_string() ? Json(found->get<std::string>()) : Json();
}

bool asks_for_none(const std::string& source) {
  static const std::regex asks(R"(content['"]?\]?\s+is\s+(not\s+)?none)");
  return std::regex_search(source, asks);
}

// As transformers hands messages on: without members that are null, which templates take for something that is there,
// and with what was thought under the names that templates look for. Only where a template asks whether a content is
// none, as DeepSeek-R1's does for calls of tools, which transformers 5 leaves out, it is told so.
Json normalized(const Messages& messages, bool keeps_no_content) {
  Json out = Json::array();
  for (const Json& message : messages) {
    if (!message.is_object()) {
      out.push_back(message);
      continue;
    }
    Json thought;
    for (const char* key : {"reasoning_content", "thinking", "reasoning"})
      if (thought.is_null() && message.contains(key)) thought = message[key];
    Json one = Json::object();
    if (!thought.is_null()) one["thinking"] = thought;
    for (const auto& [key, value] : message.items())
      if (!value.is_null() || (keeps_no_content && key == "content")) one[key] = value;
    if (!thought.is_null()) one["reasoning_content"] = thought;
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

ChatTemplate::ChatTemplate(std::string source, const std::string& where, const Tokenizer& tokenizer,
                           const std::string& with_tools)
    : source_(std::move(source)),
      template_(source_, where),
      asks_for_none_(asks_for_none(source_) || asks_for_none(with_tools)),
      specials_(Json::object()) {
  try {
    if (!with_tools.empty()) with_tools_.emplace(with_tools, where + " tool_use");
  } catch (const Error& e) {
    problem_with_tools_ = e.what();
  }
  const nlohmann::json config = tokenizer.config_json();
  for (const char* role : {"bos_token", "eos_token", "pad_token", "unk_token"})
    if (Json name = special(config, role); name.is_string()) specials_[role] = std::move(name);
}

Json ChatTemplate::values(const Messages& messages, bool for_answer, const Messages& beside) const {
  Json out = specials_;
  out["tools"] = out["documents"] = nullptr;  // as transformers has them where there are none
  out.update(beside);
  out["messages"] = normalized(messages, asks_for_none_);
  out["add_generation_prompt"] = for_answer;
  return out;
}

// As transformers chooses.
const jinja::Template& ChatTemplate::template_for(const Messages& beside) const {
  if (!beside.contains("tools")) return template_;
  require(problem_with_tools_.empty(), "{}", problem_with_tools_);
  return with_tools_ ? *with_tools_ : template_;
}

std::string ChatTemplate::render(const Messages& messages, bool for_answer, const Messages& beside) const {
  return template_for(beside).render(values(messages, for_answer, beside));
}

std::string ChatTemplate::end_of_answer() const {
  const std::string said = "\x01";  // in no template
  const Messages messages = {{{"role", "user"}, {"content", "?"}}, {{"role", "assistant"}, {"content", said}}};
  const std::string text = render(messages, false);
  const size_t at = text.rfind(said);
  return at == std::string::npos ? "" : text.substr(at + said.size());
}

}  // namespace rgm
