// @NAME@.cpp - a learned scale and bias for the output y of a frozen linear layer: y scale + bias. It starts as the
// identity.
#include <regimen/regimen.hpp>
using namespace regimen;

struct @CLASS@Options {
  bool bias = true;

  static constexpr auto list = options(option("bias", &@CLASS@Options::bias, "learn a bias beside the scale"));
};

class @CLASS@ {
 public:
  using Options = @CLASS@Options;
  struct State {
    Tensor scale, bias;  // both (out); bias is empty if the option is off
  };

  static constexpr uint32_t kinds = RGM_LINEAR_SITE;
  static constexpr const char* sites[] = {"*.attention.query", "*.attention.value", nullptr};

  explicit @CLASS@(const Options& o) : o_(o) {}

  State attach(const Site& site) const {
    State s{.scale = site.param("scale", {site.out()}, Init::fill(1)), .bias = {}};
    if (o_.bias) s.bias = site.param("bias", {site.out()}, Init::fill(0));
    return s;
  }

  Tensor output(const State& s, const Tensor&, const Tensor& y) const {
    return s.bias ? y * s.scale + s.bias : y * s.scale;
  }

  // The linear layer that does the same without the adapter: scale (out, 1) times weight (out, in).
  Linear merge(const State& s, const Linear& base) const {
    Tensor bias = base.bias ? base.bias * s.scale : Tensor();
    if (s.bias) bias = bias ? bias + s.bias : s.bias;
    return {base.weight * reshape(s.scale, {-1, 1}), bias};
  }

 private:
  Options o_;
};

constexpr rgm_component component = adapter<@CLASS@>("@NAME@", "0.1.0", "A learned scale and bias of linear layers");
RGM_PLUGIN("@NAME@", "0.1.0", "", &component);
