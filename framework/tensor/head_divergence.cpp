// head_divergence.cpp - how far a student's distributions are from a teacher's (Hinton et al. 2015; Gu et al. 2024 for
// the reverse; Agarwal et al. 2024 for Jensen-Shannon), with the gradient taken while a chunk of logits is at hand.
#include <regimen/abi/model.h>

#include <algorithm>

#include "tensor/captured.hpp"
#include "tensor/dry_device.hpp"
#include "tensor/gradients.hpp"
#include "tensor/head.hpp"
#include "tensor/support.hpp"

namespace rgm::ops {
namespace {

// Written over the logits.
Tensor log_probabilities(const Tensor& z) {
  const Tensor log_sum = reduce(RGM_LOGSUMEXP, 2, z, true);
  kernel::binary(RGM_SUB, z.view(), broadcast_to(log_sum.view(), z.shape()), z.view());
  return z;
}
Tensor row_sum(const Tensor& x) { return reduce(RGM_SUM, 2, x, true); }

struct Divergence {
  Tensor value, dz;  // (n, 1); (n, V) by the student's logits
};

// q: student, p: teacher. KL(p, q) = sum p (log p - log q), KL(q, p), and share KL(p, m) + (1 - share) KL(q, m) for
// m = share p + (1 - share) q. With d the derivative by q: dz = q (d - sum q d).
Divergence divergence(int32_t kind, double share, const Tensor& log_q, const Tensor& log_p) {
  const Tensor q = exp(log_q), p = exp(log_p);
  if (kind == RGM_FORWARD_KL) return {row_sum(p * (log_p - log_q)), q - p};
  Tensor d = log_q - log_p;
  if (kind == RGM_REVERSE_KL) {
    const Tensor value = row_sum(q * d);
    return {value, q * (d - value)};
  }
  // By the larger of the two, as both may be too small to be told from 0.
  const Tensor top = binary(RGM_MAX, log_p, log_q);
  const Tensor log_m = top + log(share * exp(log_p - top) + (1 - share) * exp(log_q - top));
  d = (1 - share) * (log_q - log_m);
  const Tensor own = row_sum(q * d);
  return {own + share * row_sum(p * (log_p - log_m)), q * (d - own)};
}

// (n) I32: the rows whose weight is not 0, or one of them if it is 0 everywhere. Empty for all rows: where none is left
// out, or the weights cannot be read, as in a captured step, which would go on with the rows of its first run. That is
// asked of the backend and not of its options, so that a run has the same bits with captures and without.
Tensor rows_that_count(const Tensor& weights) {
  const Device& device = current_device();
  if (knows_capture(device.backend()) || is_dry(device)) return {};
  const std::vector<float> all = to_host(weights);
  std::vector<int32_t> out;
  for (size_t i = 0; i < all.size(); ++i)
    if (all[i] != 0) out.push_back(static_cast<int32_t>(i));
  if (out.size() == all.size()) return {};
  if (out.empty()) out.push_back(0);
  return from_host(std::span<const int32_t>(out), {std::ssize(out)});
}

}  // namespace

Tensor head_divergence(const Tensor& x, const Tensor& w, const Tensor& xt, const Tensor& wt, const Tensor& given,
                       int32_t kind, const HeadOptions& options, const HeadOptions& options_of_teacher, double share) {
  require(x.rank() == 2 && w.rank() == 2 && xt.rank() == 2 && wt.rank() == 2 && x.size(1) == w.size(1) &&
              xt.size(1) == wt.size(1) && x.size(0) == xt.size(0),
          "head_divergence: student {} {} and teacher {} {} do not fit", x.shape().text(), w.shape().text(),
          xt.shape().text(), wt.shape().text());
  require(w.size(0) == wt.size(0), "head_divergence: the student knows {} tokens, the teacher {}", w.size(0),
          wt.size(0));
  require(kind >= RGM_FORWARD_KL && kind <= RGM_JENSEN_SHANNON, "head_divergence: {} is not a divergence", kind);
  require(share > 0 && share < 1, "head_divergence: the teacher's share is {}, expected between 0 and 1", share);
  require(given.shape() == Shape({x.size(0)}), "head_divergence: weights have shape {}, expected ({})",
          given.shape().text(), x.size(0));
  const Tensor weights = as_float(given);
  const bool records = would_record({&x, &w, &weights});
  Tensor y, dx, dw, values;
  {
    const NoGradient no_gradient;
    // A gradient for the weights is the divergences, all of them.
    const Tensor places = records && weights.needs_gradient() ? Tensor() : rows_that_count(weights);
    const Tensor counting = places ? gather(weights, 0, places) : weights;
    if (records && x.needs_gradient()) dx = places ? zeros(x.shape()) : empty(x.shape());
    if (records && w.needs_gradient()) dw = zeros_like(w.view());
    const int64_t M = counting.size(0), V = std::max<int64_t>(1, w.size(0));
    int64_t rows = head_rows(V);
    // Copies of rows need memory too: where they are wider than their logits, fewer go at once.
    if (places) rows = std::max<int64_t>(1, std::min(x.size(0), rows) / (1 + std::max(x.size(1), xt.size(1)) / V));
    values = empty({M});
    const Tensor wide = as_weight(w);
    for (int64_t begin = 0; begin < M; begin += rows) {
      const int64_t end = std::min(M, begin + rows);
      const auto part = [&](const Tensor& t) { return t ? slice(t, 0, begin, end) : t; };
      const Tensor at = part(places);
      // Copies do not live on beside what is made of the logits.
      const auto some = [&](const Tensor& t) { return at ? gather(t, 0, at) : part(t); };
      const HeadChunk student(some(x), w, options), teacher(some(xt), wt, options_of_teacher);
      Divergence d = divergence(kind, share, log_probabilities(student.z), log_probabilities(teacher.z));
      assign(part(values), reshape(d.value, {end - begin}));
      if (!dx && !dw) continue;
      const Tensor own = dx && at ? empty({end - begin, x.size(1)}) : part(dx);
      student.back(d.dz * reshape(part(counting), {end - begin, 1}), dw ? some(x) : Tensor(), wide, own, dw);
      if (dx && at) kernel::scatter_add(0, at.view(), own.view(), dx.view());
    }
    y = sum(counting * values);
  }
  if (records) record("head_divergence", gradients::head_sum, {&x, &w, &weights}, {&y}, {dx, dw, values});
  return y;
}

}  // namespace rgm::ops
