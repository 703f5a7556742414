// steady.cpp - the first time as usual, so that whatever grows has grown; the second time captured; then replayed.
#include "generate/steady.hpp"

namespace rgm {
namespace {

constexpr int64_t inputs = 5;  // token, slot, position, length and draw of a row

}  // namespace

std::vector<NextToken> fetched(const ops::Drawn& drawn) {
  const auto tokens = to_host<int32_t>(drawn.tokens);
  const auto logprobs = to_host<float>(drawn.logprobs);
  std::vector<NextToken> out;
  out.reserve(tokens.size());
  for (size_t b = 0; b < tokens.size(); ++b) {
    if (tokens[b] < 0) no_token();
    out.push_back({tokens[b], logprobs[b]});
  }
  return out;
}

SteadyStep::SteadyStep(const Model& model, int64_t rows, Choose choose) : model_(model), choose_(std::move(choose)) {
  refused_ = model.waits_in_passes() || !knows_capture(current_device().backend()) ||
             !RGM_HAS(&current_device().kernels(), sample);
  if (refused_) return;
  values_.resize(static_cast<size_t>(inputs * rows));
  inputs_ = from_host(std::span<const int32_t>(values_), {inputs, rows});
  const auto part = [&](int64_t i, const Shape& shape) {
    return ops::reshape(ops::slice(inputs_, 0, i, i + 1), shape);
  };
  pass_.tokens = part(0, {rows, 1});
  pass_.places = {part(1, {rows}), part(2, {rows, 1}), part(3, {rows})};
  draws_ = part(4, {rows});
}

void SteadyStep::place(std::span<const int32_t> tokens, std::span<const int32_t> draws, const KeyValueCache& cache) {
  const size_t rows = tokens.size();
  for (size_t b = 0; b < rows; ++b) {
    const int64_t at = cache.lengths[b];
    require(at < cache.capacity(), "a cache of {} slots cannot hold {} tokens", cache.capacity(), at + 1);
    const int64_t of_row[inputs] = {tokens[b], static_cast<int64_t>(b) * cache.capacity() + at, at, at + 1, draws[b]};
    for (size_t i = 0; i < inputs; ++i) values_[i * rows + b] = static_cast<int32_t>(of_row[i]);
  }
  refill(inputs_, values_);
}

void SteadyStep::enqueue(KeyValueCache& cache) {
  const Tensor hidden = model_.hidden(pass_, &cache);
  auto drawn = choose_(ops::reshape(hidden, {hidden.size(0), -1}), ops::reshape(pass_.tokens, {-1}), draws_);
  if (!drawn) failure("the device does not draw");
  drawn_ = std::move(*drawn);
}

std::optional<std::vector<NextToken>> SteadyStep::run(std::span<const int32_t> tokens, std::span<const int32_t> draws,
                                                      KeyValueCache& cache) {
  if (refused_) return {};
  if (kernels_set_ != current_device().kernels_set()) {
    kernels_set_ = current_device().kernels_set();
    captured_.reset();
    runs_ = 0;
  }
  const std::vector<int64_t> before = cache.lengths;
  place(tokens, draws, cache);
  if (++runs_ == 2) {
    if (auto captured = Captured::of([&] { enqueue(cache); })) captured_.emplace(std::move(*captured));
    cache.lengths = before;
  }
  if (captured_) {
    captured_->replay();
    for (int64_t& n : cache.lengths) ++n;
  } else {
    enqueue(cache);
  }
  return fetched(drawn_);
}

}  // namespace rgm
