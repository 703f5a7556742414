// series.cpp - a bottleneck behind a module (Houlsby et al. 2019, arXiv 1902.00751): y' = y + s up(act(down y)).
// Behind attention and MLP as there; Pfeiffer's placement (arXiv 2005.00247) is sites: ["*.mlp"].
#include "bottleneck.hpp"
using namespace regimen;

class Series : public Bottleneck {
 public:
  using Bottleneck::Bottleneck;
  static constexpr const char* sites[] = {"*.attention", "*.mlp", nullptr};
  static constexpr rgm_pair fixed[] = {{"use_parallel_adapter", "false"}, {"bias", "\"none\""}, {}};
  static constexpr rgm_format format{
      sizeof(rgm_format), 0, "BOTTLENECK", keys, fixed, tensors, nullptr, nullptr, nullptr};

  Part attach(const Site& site) const { return make(site, site.out(), site.out()); }
  Tensor output(const Part& part, const Tensor&, Tensor y) const {
    const Tensor before = y;
    return added(part, before, std::move(y));
  }
};

constexpr rgm_component series = adapter<Series>("series", "1.0.0", "A bottleneck after a module");
RGM_PLUGIN("series", "1.0.0", "", &series);
