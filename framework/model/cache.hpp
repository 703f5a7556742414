// cache.hpp - one pass with a cache of keys and values: what is written where, and what its queries look at.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "model/model.hpp"

namespace rgm {

class CacheReading {
 public:
  // T: slots a row in this pass, those of a prompt included; `prefix`: keys and values in front that were not read.
  CacheReading(KeyValueCache& cache, const Pass& pass, int64_t T, int64_t prompt, int64_t prefix);
  bool fresh() const { return fresh_; }
  // All rows go on at the same place, which is start().
  bool together() const { return fresh_ || equal_; }
  int64_t start() const { return start_; }
  int64_t capacity() const { return cache_.capacity(); }
  int64_t longest() const { return *std::ranges::max_element(cache_.lengths); }
  const Tensor& positions() const { return positions_; }  // (B, 1) where they do not
  Tensor lengths(size_t layer) const;                     // (B) keys in use, where they do not; or empty
  int64_t prefix(size_t layer) const { return cache_.prefix - cache_.unused[layer]; }  // virtual tokens in front
  const Tensor& segments() const { return segments_; }  // (B, T) 1 and 0 where rows end in padding; or empty
  // Keys and values (B, n, Hkv, D), n at most `prefix`, in front of an empty cache; they end where the text begins.
  void store_prefix(size_t layer, const Tensor& k, const Tensor& v);
  // Files k and v (B, T, Hkv, D); answers all keys and values up to these. `segments` (B, T) marks padding, or is
  // empty.
  std::pair<Tensor, Tensor> store(size_t layer, Tensor k, Tensor v, const Tensor& segments);
  void finish();

 private:
  void place_rows();
  KeyValueCache& cache_;
  std::vector<int64_t> counts_;
  int64_t T_, prefix_, start_ = 0;
  bool fresh_ = false, full_ = false, equal_ = false;
  Tensor places_, positions_, lengths_, segments_;
};

}  // namespace rgm
