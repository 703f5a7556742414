// row_reader.cpp - passes over rows of text. What a row computes does not depend on its neighbours but for the rounding
// of products of other sizes.
#include "generate/row_reader.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "tensor/ops.hpp"

namespace rgm {

RowReader::RowReader(const Model& model, const Sampling& sampling, bool slide, std::span<const int32_t> adapters)
    : model_(model),
      max_tokens_(sampling.max_tokens),
      front_(model.front(adapters).count()),
      room_(std::min(model.config().context - front_, sampling.room > 0 ? sampling.room : INT64_MAX)),
      slide_(slide && room_ > 1),
      by_row_(!adapters.empty()) {
  require(room_ > 0, "{} virtual tokens leave no room in the model's context of {}", front_, model.config().context);
}

std::vector<int32_t> RowReader::fitted(const std::vector<int32_t>& prompt, size_t index) const {
  require(!prompt.empty(), "prompt {} is empty; at least one token is needed to continue from", index);
  if (slide_) return {prompt.end() - std::min(room_, std::ssize(prompt)), prompt.end()};
  require(std::ssize(prompt) + (max_tokens_ > 0) <= room_,
          "prompt {} has {} tokens, and there is room for {} together with an answer", index, prompt.size(), room_);
  return prompt;
}

int64_t RowReader::capacity(std::span<DecodingRow* const> rows) const {
  size_t longest = 0;
  for (const DecodingRow* row : rows) longest = std::max(longest, row->text.size());
  return front_ + std::min(room_, static_cast<int64_t>(longest) + max_tokens_);
}

// In the order of their lengths, cut where the longest would fill the others up with more than half of what they have:
// one long prompt would else make all as long. Rows of an adapter stay together.
std::vector<std::span<DecodingRow* const>> RowReader::alike(std::span<DecodingRow*> rows) const {
  if (by_row_) return {rows};
  std::ranges::stable_sort(rows, {}, [](const DecodingRow* row) { return row->text.size(); });
  std::vector<std::span<DecodingRow* const>> out;
  constexpr size_t few = 1024;  // tokens that are not worth a pass of their own
  for (size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    size_t sum = 0;
    for (end = begin; end < rows.size(); ++end) {
      const size_t next = rows[end]->text.size(), filled = next * (end + 1 - begin);
      sum += next;
      if (filled - sum > std::max(few, sum / 2)) break;
    }
    out.push_back(rows.subspan(begin, end - begin));
  }
  return out;
}

std::pair<Tensor, KeyValueCache> RowReader::read(std::span<DecodingRow* const> rows, int64_t slots) const {
  std::vector<DecodingRow*> different;
  std::vector<int64_t> of;  // which of these each row begins with
  for (DecodingRow* row : rows) {
    const bool again =
        !different.empty() && row->adapter == different.back()->adapter && row->text == different.back()->text;
    if (!again) different.push_back(row);
    of.push_back(std::ssize(different) - 1);
  }
  const auto B = std::ssize(different);
  KeyValueCache cache(model_.config(), B, slots, model_.dtype());
  Pass pass{.tokens = {}, .adapters = adapters_of(different)};
  for (const DecodingRow* row : different) pass.counts.push_back(std::ssize(row->text));
  const int64_t T = *std::ranges::max_element(pass.counts);
  std::vector<int32_t> tokens(static_cast<size_t>(B * T)), last;
  for (int64_t b = 0; b < B; ++b) std::ranges::copy(different[static_cast<size_t>(b)]->text, tokens.begin() + b * T);
  for (const int64_t b : of) last.push_back(static_cast<int32_t>(b * T + pass.counts[static_cast<size_t>(b)] - 1));
  pass.tokens = from_host(std::span<const int32_t>(tokens), {B, T});
  const Tensor hidden = model_.hidden(pass, &cache);
  if (different.size() < rows.size()) cache.keep(of);
  return {
      ops::gather(ops::reshape(hidden, {B * T, -1}), 0, from_host(std::span<const int32_t>(last), {std::ssize(rows)})),
      std::move(cache)};
}

Tensor RowReader::read_last(std::span<DecodingRow* const> rows, KeyValueCache& cache) const {
  const auto B = static_cast<int64_t>(rows.size());
  std::vector<int32_t> tokens;
  for (const DecodingRow* row : rows) tokens.push_back(row->text.back());
  const Pass pass{.tokens = from_host(std::span<const int32_t>(tokens), {B, 1}), .adapters = adapters_of(rows)};
  return ops::reshape(model_.hidden(pass, &cache), {B, -1});
}

void RowReader::forget_half(DecodingRow& row, int64_t b, KeyValueCache& cache) const {
  row.text.erase(row.text.begin(), row.text.end() - std::max<int64_t>(2, room_ / 2));
  KeyValueCache own(model_.config(), 1, cache.capacity(), model_.dtype());
  const std::vector<int32_t> text(row.text.begin(), row.text.end() - 1);
  DecodingRow* const one[] = {&row};
  const Pass pass{.tokens = from_host(std::span<const int32_t>(text), {1, static_cast<int64_t>(text.size())}),
                  .adapters = adapters_of(one)};
  model_.hidden(pass, &own);
  cache.replace(b, own);
}

std::vector<int32_t> RowReader::adapters_of(std::span<DecodingRow* const> rows) const {
  std::vector<int32_t> out;
  if (by_row_)
    for (const DecodingRow* row : rows) out.push_back(row->adapter);
  return out;
}

}  // namespace rgm
