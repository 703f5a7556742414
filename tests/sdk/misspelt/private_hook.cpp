// private_hook.cpp - expect: merge is the name of a hook: make it public
#include <regimen/regimen.hpp>
using namespace regimen;

class Hidden {
 public:
  using Options = NoOptions;
  static constexpr uint32_t kinds = RGM_LINEAR_SITE;
  static constexpr const char* sites[] = {"*", nullptr};
  explicit Hidden(const Options&) {}
  Tensor attach(const Site& site) const { return site.param("scale", {1}, Init::fill(1)); }
  Tensor output(const Tensor& scale, const Tensor&, const Tensor& y) const { return y * scale; }

 private:
  Linear merge(const Tensor& scale, const Linear& base) const { return {base.weight * scale, base.bias}; }
};
constexpr rgm_component private_hook = adapter<Hidden>("private_hook", "1.0.0", "");
RGM_PLUGIN("private_hook", "1.0.0", "", &private_hook);
