// chat_tokenizer.cpp - a tokenizer and the chat template that it is saved with.
#include <memory>

#include "text/chat.hpp"

namespace rgm {
namespace {

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

}  // namespace

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
