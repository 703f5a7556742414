// closed_answers.cpp - an end of text behind answers that ended without one.
#include "train/closed_answers.hpp"

#include <algorithm>

#include "generate/generate.hpp"

namespace rgm {

std::vector<TokenExample> token_examples(const BatchColumn& tokens, int64_t count) {
  std::vector<TokenExample> out(static_cast<size_t>(count));
  for (size_t i = 0; i < tokens.integers.size(); ++i) {
    if (tokens.segments[i] == 0) continue;
    TokenExample& example = out[static_cast<size_t>(tokens.segments[i] - 1)];
    example.ids.push_back(tokens.integers[i]);
    example.weights.push_back(tokens.reals[i]);
  }
  return out;
}

std::optional<Batch> closed_answers(const Batch& batch, const Model& model, int64_t context) {
  const auto finished = batch.columns.find("finished");
  const auto is_tokens = [](const auto& named) { return named.second.kind == ColumnKind::tokens; };
  constexpr int32_t none = -1;
  const int32_t end = model.tokenizer() ? model.tokenizer()->end_of_text().value_or(none) : none;
  if (finished == batch.columns.end() || finished->second.kind != ColumnKind::integer || end == none ||
      std::ranges::count_if(batch.columns, is_tokens) != 1)
    return {};
  const auto& [name, tokens] = *std::ranges::find_if(batch.columns, is_tokens);
  std::vector<TokenExample> examples = token_examples(tokens, batch.examples);
  const std::vector<int32_t> ends = ends_of_text(model);
  bool lacked = false;
  for (size_t e = 0; e < examples.size(); ++e) {
    TokenExample& example = examples[e];
    if (finished->second.integers[e] != 1 || example.ids.empty() || std::ssize(example.ids) >= context) continue;
    if (std::ranges::find(ends, example.ids.back()) != ends.end()) continue;
    example.ids.push_back(end);
    example.weights.push_back(1);
    lacked = true;
  }
  if (!lacked) return {};
  Batch out;
  out.examples = batch.examples;
  out.columns[name] = pack(examples, context);
  return out;
}

}  // namespace rgm
