// sample.cpp - tokens drawn where the log-probabilities are.
#include <cmath>

#include "tensor/support.hpp"

namespace rgm::ops {

std::optional<Drawn> sample(const Tensor& logprobs, const Tensor& draws, int64_t top_k, double top_p, double min_p) {
  const rgm_kernels& k = kernel::table();
  if (!RGM_HAS(&k, sample)) return {};
  require(logprobs.rank() == 2 && logprobs.dtype() == RGM_F32 && draws.shape() == Shape({logprobs.size(0)}),
          "sample: log-probabilities of shape {}, draws of shape {}", logprobs.shape().text(), draws.shape().text());
  const int64_t B = logprobs.size(0);
  Drawn drawn{empty({B}, RGM_I32), empty({B})};
  const bool has_min_p = min_p > 0;  // where it excludes nothing, backends that do not know it draw as well
  const rgm_sample args{sizeof(rgm_sample),
                        has_min_p ? uint32_t{RGM_SAMPLE_MIN_P} : 0,
                        top_k,
                        top_p,
                        &logprobs.view(),
                        &draws.view(),
                        &drawn.tokens.view(),
                        &drawn.logprobs.view(),
                        has_min_p ? std::log(min_p) : 0};
  if (!kernel::ran(k.sample(kernel::queue(), &args))) return {};
  return drawn;
}

}  // namespace rgm::ops
