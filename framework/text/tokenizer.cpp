// tokenizer.cpp - what all tokenizers share, and the stream that shows text while it is generated.
#include "text/tokenizer.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace rgm {

std::optional<int32_t> Tokenizer::end_of_text() const {
  const auto found = specials_.find(end_of_text_);
  return found == specials_.end() ? std::nullopt : std::optional(found->second);
}

nlohmann::json Tokenizer::config_json() const {
  nlohmann::json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  if (end_of_text())
    for (const char* role : {"bos_token", "eos_token", "pad_token"}) config[role] = end_of_text_;
  std::vector<std::pair<int32_t, std::string>> others;
  for (const auto& [name, id] : specials_)
    if (name != end_of_text_) others.emplace_back(id, name);
  std::ranges::sort(others);
  for (const auto& [id, name] : others) config["additional_special_tokens"].push_back(name);
  return config;
}

namespace {

// How many bytes at `at` begin a character but do not finish it: 0 when it is whole, or broken at once.
// Follows Unicode's table 3-7, so that a surrogate or an overlong form is not waited for.
size_t begun(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned first = byte(0);
  const size_t length = first < 0xC2 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 1;
  size_t n = 1;
  for (; n < length && at + n < text.size(); ++n) {
    unsigned low = 0x80, high = 0xBF;
    if (n == 1 && first == 0xE0) low = 0xA0;
    if (n == 1 && first == 0xED) high = 0x9F;
    if (n == 1 && first == 0xF0) low = 0x90;
    if (n == 1 && first == 0xF4) high = 0x8F;
    if (byte(n) < low || byte(n) > high) break;
  }
  return length > 1 && n < length ? n : 0;
}

}  // namespace

std::string TextStream::push(int32_t id) {
  held_ += tokenizer_->decode_on({&id, 1});
  std::string out;
  for (;;) {
    const auto broken = invalid_utf8(held_);
    out += held_.substr(0, broken.value_or(held_.size()));
    held_.erase(0, broken.value_or(held_.size()));
    if (!broken) return out;
    const size_t unfinished = begun(held_, 0);
    if (unfinished == held_.size()) return out;  // the next id may finish it
    append_utf8(out, U'\uFFFD');
    held_.erase(0, std::max<size_t>(unfinished, 1));
  }
}

std::string TextStream::finish() {
  std::string out;
  if (!held_.empty()) append_utf8(out, U'\uFFFD');
  held_.clear();
  return out;
}

}  // namespace rgm
