// cache.cpp - the memory of keys and values, and what one pass writes there and looks at.
#include "model/cache.hpp"

#include <algorithm>

#include "model/model.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {
Tensor rows_from(const Tensor& x) {  // (B, capacity, Hkv, D) as (B capacity, Hkv D), the same memory
  return ops::reshape(x, {x.size(0) * x.size(1), x.size(2) * x.size(3)});
}
Tensor from_sizes(const std::vector<int64_t>& sizes) {
  const std::vector<int32_t> small(sizes.begin(), sizes.end());
  return from_host(std::span<const int32_t>(small), {static_cast<int64_t>(small.size())});
}
}  // namespace

KeyValueCache::KeyValueCache(const ModelConfig& config, int64_t rows, int64_t capacity, rgm_dtype dtype)
    : lengths(static_cast<size_t>(rows)), unused(static_cast<size_t>(config.layers)), rows_(rows), capacity_(capacity) {
  require(rows > 0 && capacity > 0, "a cache of {} rows with {} slots each", rows, capacity);
  const Shape shape{rows, capacity, config.kv_heads, config.head_dim};
  for (int64_t i = 0; i < config.layers; ++i)
    layers.push_back({ops::full(shape, 0, dtype), ops::full(shape, 0, dtype)});
}

void KeyValueCache::clear() {
  for (Layer& layer : layers)
    for (const Tensor& x : {layer.k, layer.v}) assign(x, ops::full(x.shape(), 0));
  std::ranges::fill(lengths, 0);
  std::ranges::fill(unused, 0);
  prefix = 0;
}

void KeyValueCache::keep(std::span<const int64_t> rows) {
  const NoGradient no_gradient;
  const Tensor index = from_sizes({rows.begin(), rows.end()});
  for (Layer& layer : layers) {
    layer.k = ops::gather(layer.k, 0, index);
    layer.v = ops::gather(layer.v, 0, index);
  }
  std::vector<int64_t> kept;
  for (const int64_t row : rows) kept.push_back(lengths[static_cast<size_t>(row)]);
  lengths = std::move(kept);
  rows_ = static_cast<int64_t>(rows.size());
}

void KeyValueCache::append(const KeyValueCache& other) {
  const NoGradient no_gradient;
  for (size_t i = 0; i < layers.size(); ++i) {
    layers[i].k = ops::concat(std::array{layers[i].k, other.layers[i].k}, 0);
    layers[i].v = ops::concat(std::array{layers[i].v, other.layers[i].v}, 0);
  }
  lengths.insert(lengths.end(), other.lengths.begin(), other.lengths.end());
  rows_ += other.rows_;
}

void KeyValueCache::replace(int64_t row, const KeyValueCache& other) {
  const NoGradient no_gradient;
  for (size_t i = 0; i < layers.size(); ++i) {
    assign(ops::slice(layers[i].k, 0, row, row + 1), ops::slice(other.layers[i].k, 0, 0, 1));
    assign(ops::slice(layers[i].v, 0, row, row + 1), ops::slice(other.layers[i].v, 0, 0, 1));
  }
  lengths[static_cast<size_t>(row)] = other.lengths[0];
  unused = other.unused;  // the same for all rows
}

CacheReading::CacheReading(KeyValueCache& cache, const Pass& pass, int64_t T, int64_t prompt, int64_t prefix)
    : cache_(cache), counts_(pass.counts), T_(T), prefix_(prefix) {
  const int64_t B = pass.tokens.size(0), text = pass.tokens.size(1);
  require(B == cache.rows(), "a cache of {} rows cannot take a pass of {}", cache.rows(), B);
  if (counts_.empty() && pass.segments) {  // waits, so generation gives counts
    counts_.assign(static_cast<size_t>(B), 0);
    const auto segments = to_host<int32_t>(pass.segments);
    for (size_t i = 0; i < segments.size(); ++i) counts_[i / static_cast<size_t>(text)] += segments[i] != 0;
  }
  if (counts_.empty()) counts_.assign(static_cast<size_t>(B), text);
  require(static_cast<int64_t>(counts_.size()) == B, "a pass of {} rows with {} counts", B, counts_.size());
  for (const int64_t n : counts_) require(n >= 0 && n <= text, "a row of {} tokens cannot have {} new ones", text, n);

  const auto& lengths = cache.lengths;
  start_ = lengths[0];
  fresh_ = std::ranges::all_of(lengths, [](int64_t n) { return n == 0; });
  full_ = std::ranges::all_of(counts_, [&](int64_t n) { return n == text; });
  equal_ = full_ && std::ranges::all_of(lengths, [&](int64_t n) { return n == start_; });
  require(fresh_ || equal_ || text == 1, "rows of different lengths can only be read on token by token, not {} at once",
          text);
  for (size_t b = 0; b < lengths.size(); ++b) {
    const int64_t need = lengths[b] + (fresh_ ? prefix + T : counts_[b]);
    require(need <= cache.capacity(), "a cache of {} slots cannot hold {} tokens", cache.capacity(), need);
  }
  if (fresh_) {
    cache.prefix = prefix + prompt;
    std::ranges::fill(cache.unused, prefix);  // until a layer stores something there
  }
  if (!full_) {
    std::vector<int32_t> marks(static_cast<size_t>(B * text));
    for (int64_t i = 0; i < B * text; ++i)
      marks[static_cast<size_t>(i)] = i % text < counts_[static_cast<size_t>(i / text)];
    segments_ = from_host(std::span<const int32_t>(marks), {B, text});
  }
  if (pass.places.slots) {
    require(!fresh_ && full_ && text == 1, "places are for one token a row, behind others");
    equal_ = false;
    places_ = pass.places.slots, positions_ = pass.places.positions, lengths_ = pass.places.lengths;
  } else if (!fresh_ && !equal_) {
    place_rows();
  }
}

// Where each row's token goes, and how many keys it sees.
void CacheReading::place_rows() {
  std::vector<int64_t> places, lengths, positions;
  for (size_t b = 0; b < counts_.size(); ++b) {
    const int64_t at = std::min(cache_.lengths[b], cache_.capacity() - 1);  // of padding: nothing is added there
    places.push_back(static_cast<int64_t>(b) * cache_.capacity() + at);
    lengths.push_back(cache_.lengths[b] + counts_[b]);
    positions.push_back(at);
  }
  places_ = from_sizes(places);
  lengths_ = from_sizes(lengths);
  positions_ = ops::reshape(from_sizes(positions), {cache_.rows(), 1});
}

Tensor CacheReading::lengths(size_t layer) const {
  const int64_t unused = cache_.unused[layer];
  return lengths_ && unused > 0 ? ops::affine(lengths_, 1, static_cast<double>(-unused)) : lengths_;
}

void CacheReading::store_prefix(size_t layer, const Tensor& k, const Tensor& v) {
  const int64_t unused = cache_.unused[layer] = prefix_ - k.size(1);
  assign(ops::slice(cache_.layers[layer].k, 1, unused, prefix_), k);
  assign(ops::slice(cache_.layers[layer].v, 1, unused, prefix_), v);
}

std::pair<Tensor, Tensor> CacheReading::store(size_t layer, Tensor k, Tensor v, const Tensor& segments) {
  auto& [keys, values] = cache_.layers[layer];
  const int64_t first = cache_.unused[layer];
  if (segments && !full_) {  // nothing may lie behind a row's end: decoding adds to what is there
    const Tensor mark = ops::reshape(segments, {k.size(0), T_, 1, 1}), zero = ops::full({}, 0, k.dtype());
    k = ops::select(mark, k, zero);
    v = ops::select(mark, v, zero);
  }
  if (fresh_ || equal_) {
    const int64_t begin = fresh_ ? prefix_ : start_, end = begin + T_;
    assign(ops::slice(keys, 1, begin, end), k);
    assign(ops::slice(values, 1, begin, end), v);
    return {ops::slice(keys, 1, first, end), ops::slice(values, 1, first, end)};
  }
  ops::scatter_add(rows_from(keys), 0, places_, ops::reshape(k, {k.size(0), -1}));
  ops::scatter_add(rows_from(values), 0, places_, ops::reshape(v, {v.size(0), -1}));
  return {ops::slice(keys, 1, first, cache_.capacity()), ops::slice(values, 1, first, cache_.capacity())};
}

void CacheReading::finish() {
  for (size_t b = 0; b < counts_.size(); ++b) cache_.lengths[b] += counts_[b] + (fresh_ ? cache_.prefix : 0);
}

}  // namespace rgm
