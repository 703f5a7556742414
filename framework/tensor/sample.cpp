// sample.cpp - tokens drawn where the log-probabilities are.
#include "tensor/support.hpp"

namespace rgm::ops {

std::optional<Drawn> sample(const Tensor& logprobs, const Tensor& draws, int64_t top_k, double top_p) {
  const rgm_kernels& k = kernel::table();
  if (!RGM_HAS(&k, sample)) return {};
  require(logprobs.rank() == 2 && logprobs.dtype() == RGM_F32 && draws.shape() == Shape({logprobs.size(0)}),
          "sample: log-probabilities of shape {}, draws of shape {}", logprobs.shape().text(), draws.shape().text());
  const int64_t B = logprobs.size(0);
  Drawn drawn{empty({B}, RGM_I32), empty({B})};
  const rgm_sample args{sizeof(rgm_sample),    0, top_k, top_p, &logprobs.view(), &draws.view(), &drawn.tokens.view(),
                        &drawn.logprobs.view()};
  if (!kernel::ran(k.sample(kernel::queue(), &args))) return {};
  return drawn;
}

}  // namespace rgm::ops
