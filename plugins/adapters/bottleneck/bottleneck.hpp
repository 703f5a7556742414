// bottleneck.hpp - what series and parallel adapters share: b(x) = s up(act(down x)), down (size, in), up (out, size),
// no biases, as in LLM-Adapters (arXiv 2304.01933), whose names of tensors they keep.
#pragma once
#include <cmath>
#include <regimen/regimen.hpp>

namespace regimen RGM_PRIVATE {

struct BottleneckOptions {
  static constexpr const char* activations[] = {"relu", "tanh", "gelu", "silu", nullptr};
  static constexpr const char* starts[] = {"identity", "normal", nullptr};

  int64_t size = 64;
  std::string_view activation = "relu";
  double scale = 1;
  bool learned_scale = false;
  double dropout = 0;
  std::string_view init = "identity";

  static constexpr auto list = options(
      option("size", &BottleneckOptions::size, "width of the bottleneck").range(1, 65536),
      option("activation", &BottleneckOptions::activation, "activation inside the bottleneck").choices(activations),
      option("scale", &BottleneckOptions::scale, "factor on its result").range(0, 1e6),
      option("learned_scale", &BottleneckOptions::learned_scale, "train that factor, beginning at `scale`"),
      option("dropout", &BottleneckOptions::dropout, "share of its inputs dropped in training").range(0, 0.99),
      option("init", &BottleneckOptions::init,
             "identity: up starts at 0, so the base is unchanged at first; normal: both with deviation 0.02")
          .choices(starts));
};

class Bottleneck {
 public:
  using Options = BottleneckOptions;
  struct Part {
    Tensor down, up, scale;  // scale (1), or empty
  };

  static constexpr uint32_t kinds = RGM_LINEAR_SITE | RGM_ATTENTION_SITE | RGM_MLP_SITE | RGM_EMBEDDING_SITE;
  static constexpr rgm_pair keys[] = {{"size", "bottleneck_size"},    {"activation", "non_linearity"},
                                      {"scale", "scaling"},           {"learned_scale", "learned_scaling"},
                                      {"dropout", "adapter_dropout"}, {}};
  static constexpr rgm_pair tensors[] = {{"down", "{site}.adapter_down.weight"},
                                         {"up", "{site}.adapter_up.weight"},
                                         {"scale", "{site}.adapter_scaling"},
                                         {}};

  explicit Bottleneck(const Options& o) : o_(o) {}

 protected:
  // `in` and `out`: channels of what goes in and of what it is added to.
  Part make(const Site& site, int64_t in, int64_t out) const {
    const bool identity = o_.init == "identity";
    const double bound = 1 / std::sqrt(double(in));
    return {.down = site.param("down", {o_.size, in}, identity ? Init::uniform(-bound, bound) : Init::normal(0.02)),
            .up = site.param("up", {out, o_.size}, identity ? Init::fill(0) : Init::normal(0.02)),
            .scale = o_.learned_scale ? site.param("scale", {1}, Init::fill(o_.scale)) : Tensor()};
  }

  // y + b(x)
  Tensor added(const Part& part, const Tensor& x, Tensor y) const {
    return plus(std::move(y), part, activated(matmul(dropout(x, o_.dropout), t(part.down))));
  }
  // The same of x that are tokens (B, T), which stand for vectors with a single 1.
  Tensor added_to_tokens(const Part& part, const Tensor& x, const Tensor& y) const {
    const int64_t rows = x.size(0), length = x.size(1), channels = y.size(2);
    const Tensor inner = activated(gather(part.down, 1, reshape(x, {-1})));  // (size, B T)
    return reshape(plus(reshape(y, {-1, channels}), part, t(inner)), {rows, length, channels});
  }

 private:
  template <class Inner>  // as it is, or transposed
  Tensor plus(Tensor y, const Part& part, const Inner& inner) const {
    if (part.scale) return y + part.scale * matmul(inner, t(part.up));
    return matmul_add(std::move(y), inner, t(part.up), o_.scale);
  }
  Tensor activated(const Tensor& x) const {
    if (o_.activation == "tanh") return tanh(x);
    return unary(o_.activation == "gelu" ? RGM_GELU_ERF : o_.activation == "silu" ? RGM_SILU : RGM_RELU, x);
  }

  Options o_;
};

}  // namespace RGM_PRIVATE
