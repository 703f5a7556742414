// token_chooser.cpp - likelihoods of the words there are, a random number for each row, and the token that it draws.
#include "generate/token_chooser.hpp"

#include <algorithm>

#include "base/philox.hpp"

namespace rgm {
namespace {

constexpr int steps_before_capture = 2;  // with the same rows

Tensor uploaded(const std::vector<int32_t>& values) {
  return from_host(std::span<const int32_t>(values), {std::ssize(values)});
}

}  // namespace

TokenChooser::TokenChooser(const Model& model, const Sampling& sampling)
    : model_(model), sampling_(sampling), words_(model.config().vocabulary) {
  if (model.tokenizer()) words_ = std::min(words_, model.tokenizer()->vocabulary());
}

std::vector<NextToken> TokenChooser::choose(std::span<DecodingRow* const> rows, const Tensor& hidden) {
  const std::optional<Repetition> repetition = repetition_of(rows);
  const Likelihoods all = likelihoods(hidden, repetition ? &*repetition : nullptr);
  const std::vector<int32_t> random = draws(rows);
  const auto there = drawn(all, uploaded(random));
  if (!there) return drawn_here(all, random);
  draws_there_ = true;
  return fetched(*there);
}

std::optional<std::vector<NextToken>> TokenChooser::read_and_choose(std::span<DecodingRow* const> rows,
                                                                    KeyValueCache& cache) {
  if (!draws_there_ || cache.prefix > 0) return {};
  if (!std::ranges::equal(rows, steady_rows_)) {
    steady_.reset();
    steady_rows_.assign(rows.begin(), rows.end());
    same_rows_ = 0;
  }
  if (++same_rows_ <= steps_before_capture) return {};
  if (!steady_) begin_steady();
  std::vector<int32_t> tokens;
  for (const DecodingRow* row : rows) tokens.push_back(row->text.back());
  return steady_->run(tokens, draws(rows), cache);
}

// The step adds the token that it reads to what stands in the row. That it is there already changes nothing.
void TokenChooser::begin_steady() {
  steady_repetition_ = repetition_of(steady_rows_);
  Repetition* const repetition = steady_repetition_ ? &*steady_repetition_ : nullptr;
  steady_.emplace(model_, std::ssize(steady_rows_),
                  [this, repetition](const Tensor& hidden, const Tensor& tokens, const Tensor& draws) {
                    if (repetition) repetition->add(tokens);
                    return drawn(likelihoods(hidden, repetition), draws);
                  });
}

// Only the penalty remembers what stood there.
void TokenChooser::forget() {
  if (sampling_.repetition_penalty == 1) return;
  steady_.reset();
  steady_rows_.clear();
}

std::optional<Repetition> TokenChooser::repetition_of(std::span<DecodingRow* const> rows) const {
  if (sampling_.repetition_penalty == 1) return {};
  std::vector<std::span<const int32_t>> texts;
  for (const DecodingRow* row : rows) texts.emplace_back(row->text);
  return Repetition(sampling_.repetition_penalty, texts, words_);
}

TokenChooser::Likelihoods TokenChooser::likelihoods(const Tensor& hidden, const Repetition* repetition) const {
  const Tensor logits = model_.logits(hidden, sampling_.temperature > 0 ? sampling_.temperature : 1);
  const bool are_all = words_ >= logits.size(1);
  const Tensor words = are_all ? logits : ops::contiguous(ops::slice(logits, 1, 0, words_));
  Likelihoods out{ops::log_softmax(words, 1), {}, {}};
  const auto total = [](const Tensor& x) { return ops::reduce(RGM_LOGSUMEXP, 2, x, false); };
  if (!are_all) out.share = total(words) - total(logits);
  if (repetition) out.penalized = ops::log_softmax(repetition->penalized(words), 1);
  return out;
}

// Random numbers of the rows: each of its prompt, its answer and the place in it, whatever is decoded beside it.
std::vector<int32_t> TokenChooser::draws(std::span<DecodingRow* const> rows) const {
  std::vector<int32_t> out;
  for (const DecodingRow* row : rows) {
    const auto position = static_cast<uint32_t>(row->out.tokens.size());
    const uint64_t word = mix(sampling_.seed, static_cast<uint64_t>(sampling_.first_prompt + row->out.origin),
                              static_cast<uint32_t>(row->answer), position);
    out.push_back(static_cast<int32_t>(word >> 32));
  }
  return out;
}

// On the device, where that is offered, so that one number a row comes back.
std::optional<ops::Drawn> TokenChooser::drawn(const Likelihoods& all, const Tensor& draws) const {
  const int64_t top_k = sampling_.temperature > 0 ? sampling_.top_k : 1;
  auto out = ops::sample(all.choice(), draws, top_k, sampling_.top_p, sampling_.min_p);
  if (!out) return out;
  if (all.penalized) {  // -1, where a row has no token, is for `fetched` to find
    const Tensor tokens = ops::binary(RGM_MAX, out->tokens, ops::full({}, 0, RGM_I32));
    out->logprobs = ops::pick(all.words, tokens);
  }
  if (all.share) out->logprobs = out->logprobs + all.share;
  return out;
}

std::vector<NextToken> TokenChooser::drawn_here(const Likelihoods& all, std::span<const int32_t> draws) const {
  const auto downloaded = [](const Tensor& x) { return x ? to_host<float>(x) : std::vector<float>(); };
  const std::vector<float> words = to_host<float>(all.words), shares = downloaded(all.share),
                           penalized = downloaded(all.penalized);
  const std::span<const float> choice = all.penalized ? penalized : words;
  const size_t V = words.size() / draws.size();
  std::vector<NextToken> out;
  for (size_t b = 0; b < draws.size(); ++b) {
    const int32_t token = sample(choice.subspan(b * V, V), sampling_, static_cast<uint32_t>(draws[b]));
    const float logprob = words[b * V + static_cast<size_t>(token)] + (shares.empty() ? 0 : shares[b]);
    out.push_back({token, logprob});
  }
  return out;
}

}  // namespace rgm
