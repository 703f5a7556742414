// parallel.cpp - a bottleneck beside a module (He et al. 2021, arXiv 2110.04366): y' = y + s up(act(down x)). Beside
// the embedding x is a token, and down x its column of down (size, V).
#include "bottleneck.hpp"
using namespace regimen;

class Parallel : public Bottleneck {
 public:
  using Bottleneck::Bottleneck;
  static constexpr const char* sites[] = {"*.mlp", nullptr};
  static constexpr rgm_pair fixed[] = {{"use_parallel_adapter", "true"}, {"bias", "\"none\""}, {}};
  static constexpr rgm_format format{
      sizeof(rgm_format), 0, "BOTTLENECK", keys, fixed, tensors, nullptr, nullptr, nullptr};

  struct Place {
    Part part;
    bool embeds;
  };

  Place attach(const Site& site) const {
    return {make(site, site.in(), site.out()), site.kind() == RGM_EMBEDDING_SITE};
  }
  Tensor output(const Place& at, const Tensor& x, Tensor y) const {
    return at.embeds ? added_to_tokens(at.part, x, y) : added(at.part, x, std::move(y));
  }
};

constexpr rgm_component parallel = adapter<Parallel>("parallel", "1.0.0", "A bottleneck beside a module");
RGM_PLUGIN("parallel", "1.0.0", "", &parallel);
