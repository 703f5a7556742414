// reader.hpp - one pass while it runs: what its layers share. reader.cpp places the slots, layers.cpp walks the layers.
#pragma once
#include <array>
#include <memory>
#include <optional>

#include "model/cache.hpp"
#include "model/hooked.hpp"
#include "tensor/tape.hpp"

namespace rgm {

// Slots of a prompt belong to no segment; as queries they are no padding either, so their number is large, not
// negative.
inline constexpr int32_t prompt_segment = 1 << 30;

class PassReader {
 public:
  PassReader(const Model& model, const Pass& pass, KeyValueCache* cache);
  Tensor operator()(bool with_front);

 private:
  void check_length() const;
  void place();
  Tensor rows_in_table(int64_t most_of_short) const;
  Tensor embed() const;
  Tensor norm(const Tensor& x, const NormPart& part) const { return norm(x, part, model_.dtype()); }
  Tensor norm(const Tensor& x, const NormPart& part, rgm_dtype dtype) const;  // where there is none, x in that dtype
  Tensor in_heads(const Tensor& x, int64_t heads, const NormPart& part) const;
  Tensor block(size_t i, Tensor x);
  // The same, but of what it computes on the way nothing is kept for the gradient.
  Tensor light_block(size_t i, const Tensor& x, std::shared_ptr<PassReader>& kept);
  Tensor attention(size_t i, const Tensor& x, Tensor residual);
  Tensor mlp(const LayerPart& layer, const Tensor& x, Tensor residual) const;
  // experts.cpp
  void count_tokens();
  Tensor experts(const LayerPart& layer, const Tensor& x) const;
  std::vector<float> expert_shares(std::span<const int32_t> chosen) const;
  Tensor balanced(const LayerPart& layer, const Tensor& p,
                  const std::shared_ptr<const std::vector<float>>& shares) const;
  Tensor end(size_t module, const Tensor& x, const LinearPart& part, const Tensor& inner, const NormPart& end_norm,
             Tensor residual) const;
  std::array<Tensor, 3> query_key_value(const LayerPart& layer, const Tensor& x) const;
  Tensor attend(size_t i, const Tensor& q, Tensor k, Tensor v);

  const Model& model_;
  const ModelConfig& config_;
  const Pass pass_;
  const Hooked hooked_;
  std::vector<std::pair<Tensor, Tensor>> key_values_;  // by layer, in front of the sequence
  Tensor prompt_;                                      // (N, C), or (B, N, C)
  int64_t B_, text_, prompts_ = 0, prefix_ = 0, T_;    // T_: prompt and text
  std::optional<CacheReading> cache_;
  int64_t start_ = 0;   // position of the first slot, where all rows go on in one line
  Tensor positions_;    // (B, T) otherwise; always there for rotary positions
  Tensor rows_;         // (B, T) of a table for positions in texts of two kinds, where there is one
  Tensor segments_;     // (B, T) where attention must respect some
  RandomState before_;  // anything of this pass was drawn
  // Of a mixture of experts, where somebody asks how the tokens are shared: segments of the slots, empty where all
  // count, and how many do.
  std::shared_ptr<Routing> routing_;
  std::vector<int32_t> counted_;
  double tokens_ = 0;
};

}  // namespace rgm
