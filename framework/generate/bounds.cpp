// bounds.cpp - what ends a text, what room a prompt has in front of it, and who writes none.
#include <algorithm>

#include "base/error.hpp"
#include "generate/generate.hpp"

namespace rgm {

std::vector<int32_t> ends_of_text(const Model& model) {
  std::vector<int32_t> out = ends_of_text(model.config());
  if (const auto end = model.tokenizer() ? model.tokenizer()->end_of_text() : std::nullopt) out.push_back(*end);
  return out;
}

std::vector<int32_t> without_end(std::vector<int32_t> tokens, std::span<const int32_t> ends) {
  if (!tokens.empty() && std::ranges::find(ends, tokens.back()) != ends.end()) tokens.pop_back();
  return tokens;
}

int64_t prompt_room(int64_t context, int64_t max_tokens) {
  return std::max<int64_t>(1, context - std::min(max_tokens, context / 2));
}

std::string said_of_cut(int64_t cut, int64_t prompts, int64_t context, int64_t max_tokens, bool by_length) {
  const int64_t most = prompt_room(context, max_tokens);
  return fmt::format(
      "{} of {} prompts have more than {} tokens and lose their first ones, because {} of the {} that there is room "
      "for are kept for an answer (max_tokens: {}); lower max_tokens{} to keep more of them, or leave long prompts out",
      cut, prompts, most, context - most, context, max_tokens, by_length ? " or set a larger length" : "");
}

void require_text(const Model& model, std::string_view who) {
  require(
      model.config().outputs == 0,
      "{}: this model classifies and cannot write text: use a language model, or ask this one with `regimen evaluate`",
      who);
}

}  // namespace rgm
