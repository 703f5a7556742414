// sites.hpp - the places in a model where small trained parts may act, and the interface through which they do. The
// model knows nothing of adapters; the host implements Hooks over them.
#pragma once
#include <regimen/abi/adapter.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.hpp"

namespace rgm {

// A module with an input x and an output y: "layers.3.attention.query" (LINEAR), "layers.3.attention", "layers.3.mlp",
// "layers.3" (BLOCK), "embedding".
struct SiteInfo {
  int32_t kind = 0;
  std::string name;
  std::string theirs;   // the module's name in Hugging Face's layout; of a fused part: the fused module
  Tensor weight, bias;  // LINEAR: (out, in) and (out), views of a fused weight where it is one; EMBEDDING (V, C)
  int64_t in = 0, out = 0, layer = -1;
  double scale = 1;          // EMBEDDING: of its vectors, behind the hooks
  bool interleaved = false;  // their fused module has query, key and value of one head after the other
};

inline constexpr int32_t no_adapter = -1;  // in Pass::adapters: the base alone

// What acts at the sites during one pass. `site` is the index in Model::sites().
class Hooks {
 public:
  virtual ~Hooks() = default;
  // Before every pass of `count` rows; `rows` says which of several sets of adapters serves each, where that is named.
  virtual void begin(std::span<const int32_t> rows, int64_t count) = 0;
  virtual bool has_input(size_t site) const = 0;
  virtual bool has_output(size_t site) const = 0;
  virtual Tensor input(size_t site, const Tensor& x) = 0;
  virtual Tensor output(size_t site, const Tensor& x, Tensor y) = 0;
  // Keys and values (N, Hkv, D) in front of the sequence at an ATTENTION site, or (B, N, Hkv, D) where rows have their
  // own; empty tensors: none.
  virtual std::pair<Tensor, Tensor> key_values(size_t site) = 0;
  // Vectors (N, C), or (B, N, C), in front of the embedded text; an empty tensor: none.
  virtual Tensor prompt(size_t site) = 0;
};

}  // namespace rgm
