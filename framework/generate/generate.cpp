// generate.cpp - prompts are sorted into rows that can be decoded side by side, and answers back into their order.
#include "generate/generate.hpp"

#include <map>
#include <optional>

#include "generate/decoder.hpp"

namespace rgm {
namespace {

// Numbers of answers that can be decoded side by side: all, or those with as many virtual tokens, an adapter's
// together.
std::vector<std::vector<int64_t>> side_by_side(const Model& model, std::span<const int32_t> adapters, int64_t prompts,
                                               int64_t answers) {
  std::map<std::pair<VirtualTokens, int32_t>, std::vector<int64_t>> sorted;
  std::map<int32_t, VirtualTokens> fronts;
  for (int64_t i = 0; i < prompts * answers; ++i) {
    const int32_t adapter = adapters.empty() ? no_adapter : adapters[static_cast<size_t>(i / answers)];
    const auto found = fronts.find(adapter);
    const VirtualTokens front =
        found != fronts.end() ? found->second
                              : fronts[adapter] = model.front(adapters.empty() ? adapters : std::span(&adapter, 1));
    sorted[{front, adapter}].push_back(i);
  }
  std::vector<std::vector<int64_t>> out;
  std::optional<VirtualTokens> before;
  for (const auto& [key, numbers] : sorted) {
    if (before != key.first) out.emplace_back();
    before = key.first;
    out.back().insert(out.back().end(), numbers.begin(), numbers.end());
  }
  return out;
}

}  // namespace

std::vector<Generated> generate(const Model& model, const std::vector<std::vector<int32_t>>& prompts,
                                const Sampling& sampling, bool slide,
                                const std::function<void(int64_t answer, int32_t token)>& tap,
                                std::span<const int32_t> adapters) {
  require_text(model, "generate");
  require(sampling.answers >= 0 && sampling.max_tokens >= 0, "{} answers of {} tokens", sampling.answers,
          sampling.max_tokens);
  require(adapters.empty() || adapters.size() == prompts.size(), "{} adapters for {} prompts", adapters.size(),
          prompts.size());
  const auto total = static_cast<int64_t>(prompts.size()) * sampling.answers;
  std::vector<Generated> out(static_cast<size_t>(total));
  for (const auto& numbers : side_by_side(model, adapters, static_cast<int64_t>(prompts.size()), sampling.answers)) {
    const auto prompt_of = [&](int64_t answer) { return static_cast<size_t>(answer / sampling.answers); };
    const int32_t first = adapters.empty() ? no_adapter : adapters[prompt_of(numbers[0])];
    Decoder decoder(model, sampling, slide, tap, adapters.empty() ? adapters : std::span(&first, 1));
    std::vector<DecodingRow> rows;
    for (const int64_t index : numbers) {  // the answers to a prompt follow each other
      const size_t p = prompt_of(index);
      const bool is_next_answer = !rows.empty() && prompt_of(rows.back().index) == p;
      std::vector<int32_t> text = is_next_answer ? rows.back().text : decoder.reader().fitted(prompts[p], p);
      DecodingRow& row = rows.emplace_back();
      row.index = index;
      row.answer = index % sampling.answers;
      row.out.origin = index / sampling.answers;
      row.text = std::move(text);
      if (!adapters.empty()) row.adapter = adapters[p];
    }
    decoder.run(rows);
    for (DecodingRow& row : rows) out[static_cast<size_t>(row.index)] = std::move(row.out);
  }
  return out;
}

}  // namespace rgm
