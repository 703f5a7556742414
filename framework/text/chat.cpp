// chat.cpp - rendering conversations, and cutting them into what is read and what is learned.
#include "text/chat.hpp"

#include <algorithm>
#include <regex>

#include "base/error.hpp"
#include "base/text.hpp"

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

class ChatTokenizer final : public Tokenizer {
 public:
  ChatTokenizer(TokenizerPtr inner, nlohmann::json given, std::string end)
      : Tokenizer(inner->specials(), std::move(end)), inner_(std::move(inner)), given_(std::move(given)) {}
  std::string kind() const override { return inner_->kind(); }
  int64_t vocabulary() const override { return inner_->vocabulary(); }
  std::vector<int32_t> encode(std::string_view text) const override { return inner_->encode(text); }
  std::vector<int32_t> encode_on(std::string_view text) const override { return inner_->encode_on(text); }
  std::string decode(std::span<const int32_t> ids) const override { return inner_->decode(ids); }
  std::string decode_on(std::span<const int32_t> ids) const override { return inner_->decode_on(ids); }
  size_t stable_prefix(std::string_view text) const override { return inner_->stable_prefix(text); }
  bool puts_space_in_front() const override { return inner_->puts_space_in_front(); }
  std::vector<std::string> pieces() const override { return inner_->pieces(); }
  nlohmann::json to_json() const override { return inner_->to_json(); }
  nlohmann::json config_json() const override {
    nlohmann::json config = inner_->config_json();
    config["chat_template"] = given_;
    return config;
  }

 private:
  const TokenizerPtr inner_;
  const nlohmann::json given_;
};

// Of a template, or of several with names.
std::string template_called(std::string_view name, const nlohmann::json& given) {
  if (given.is_string()) return name == "default" ? given.get<std::string>() : "";
  if (given.is_array())
    for (const nlohmann::json& one : given)
      if (one.is_object() && one.contains("name") && one["name"] == name && one.contains("template") &&
          one["template"].is_string())
        return one["template"];
  return "";
}

struct Named {
  std::string_view name, source;
};
// chatml: OpenAI's; llama3: Meta's model card; alpaca: Taori et al. 2023, without its first sentence.
constexpr Named named[] = {
    {"alpaca",
     "{%- for message in messages %}\n"
     "{%- if message.role == 'system' %}{{ (message.content or '') | trim }}\n\n"
     "{% elif message.role == 'user' %}{{ '### Instruction:\n' + (message.content or '') | trim + '\n\n' }}\n"
     "{%- elif message.role == 'assistant' %}"
     "{{ '### Response:\n' + (message.content or '') | trim + eos_token | default('\n\n', true) }}\n"
     "{%- else %}{{ raise_exception('alpaca has no role ' + message.role) }}{% endif %}\n"
     "{%- endfor %}\n"
     "{%- if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}\n"},
    {"chatml",
     "{%- for message in messages %}\n"
     "{{- '<|im_start|>' + message.role + '\n' + (message.content or '') | trim + '<|im_end|>\n' }}\n"
     "{%- endfor %}\n"
     "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}\n"},
    {"llama3",
     "{{- bos_token }}\n"
     "{%- for message in messages %}\n"
     "{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + (message.content or '') | trim + "
     "'<|eot_id|>' }}\n"
     "{%- endfor %}\n"
     "{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}\n"},
};

bool starts(const std::string& text, const std::string& front) { return text.starts_with(front); }

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

std::vector<ChatPiece> ChatTemplate::pieces(const Messages& messages, const std::vector<std::string>& roles,
                                            const Messages& beside, size_t first) const {
  std::vector<ChatPiece> out;
  const auto add = [&](std::string text, bool counts) {
    if (text.empty()) return;
    if (!out.empty() && out.back().counts == counts)
      out.back().text += text;
    else
      out.push_back({std::move(text), counts});
  };
  const bool only_assistant = roles == std::vector<std::string>{"assistant"};
  if (only_assistant && template_for(beside).marks_answers()) {
    std::vector<std::pair<size_t, size_t>> spans;
    const std::string all = template_for(beside).render(values(messages, false, beside), &spans);
    std::vector<std::pair<size_t, size_t>> asked;  // what the messages before the first have
    if (first > 0)
      template_for(beside).render(
          values(Messages(messages.begin(), messages.begin() + std::ptrdiff_t(first)), false, beside), &asked);
    size_t at = 0, span = 0;
    for (const auto& [begin, end] : spans) {
      add(all.substr(at, begin - at), false);
      add(all.substr(begin, end - begin), span++ >= asked.size());
      at = end;
    }
    add(all.substr(at), false);
    return out;
  }
  std::string done;
  const auto go_on = [&](const Messages& some, bool for_answer, bool counts, size_t message) {
    const std::string text = render(some, for_answer, beside);
    if (!starts(text, done))
      invalid(
          "the chat template changes what came before message {} once that message is there, so what the {} said "
          "cannot be found: put {{% generation %}} and {{% endgeneration %}} around it in the template",
          message + 1, messages[message].value("role", ""));
    add(text.substr(done.size()), counts);
    done = text;
  };
  const auto begins = [&](bool for_answer) {
    try {
      return starts(render(Messages::array({messages[0]}), false, beside),
                    render(Messages::array(), for_answer, beside));
    } catch (const Error&) {
      return false;
    }
  };
  Messages some = Messages::array();
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string role = messages[i].value("role", "");
    const bool counts = i >= first && std::ranges::find(roles, role) != roles.end();
    // Only where something begins or ends to count: a template may refuse half of a conversation. Where it refuses what
    // stands before the first message, all of that one counts.
    if (counts && (i > 0 || begins(role == "assistant"))) go_on(some, role == "assistant", false, i);
    some.push_back(messages[i]);
    if (counts) go_on(some, false, true, i);
  }
  if (done.empty() ||
      !std::ranges::any_of(roles, [&](const auto& r) { return r == messages.back().value("role", ""); }))
    go_on(messages, false, false, messages.size() - 1);
  return out;
}

std::string ChatTemplate::end_of_answer() const {
  const std::string said = "\x01";  // in no template
  const Messages messages = {{{"role", "user"}, {"content", "?"}}, {{"role", "assistant"}, {"content", said}}};
  const std::string text = render(messages, false);
  const size_t at = text.rfind(said);
  return at == std::string::npos ? "" : text.substr(at + said.size());
}

std::vector<std::string> chat_template_names() {
  std::vector<std::string> out;
  for (const Named& one : named) out.emplace_back(one.name);
  return out;
}

std::string named_chat_template(std::string_view name) {
  const auto* const found = std::ranges::find(named, name, &Named::name);
  require(found != std::end(named), "chat template \"{}\" is not known; there are {}", name,
          join(chat_template_names()));
  return std::string(found->source);
}

std::optional<ChatTemplate> chat_template_of(const Tokenizer& tokenizer) {
  const nlohmann::json config = tokenizer.config_json();
  const auto found = config.find("chat_template");
  const std::string source = found == config.end() ? "" : template_called("default", *found);
  if (source.empty()) return std::nullopt;
  return ChatTemplate(source, "chat template", tokenizer, template_called("tool_use", *found));
}

TokenizerPtr with_chat_template(TokenizerPtr tokenizer, nlohmann::json given) {
  const auto end = tokenizer->end_of_text();
  std::string name;
  for (const auto& [special, id] : tokenizer->specials())
    if (end && id == *end) name = special;
  return std::make_shared<ChatTokenizer>(std::move(tokenizer), std::move(given), std::move(name));
}

}  // namespace rgm
