// ops.hpp - the differentiable operations, as free functions. Shapes broadcast from the right; gradients are recorded
// where an input needs one (rules in gradients.hpp, in this order). What a backend lacks is composed (composed_*.cpp).
#pragma once
#include <optional>
#include <string_view>
#include <utility>

#include "tensor/tape.hpp"

namespace rgm::ops {

Tensor full(const Shape& shape, double value, rgm_dtype dtype = RGM_F32);
Tensor iota(int64_t n);  // (n) I32: 0, 1, ...
Tensor random(const Shape& shape, int32_t distribution, rgm_dtype dtype = RGM_F32);

// Elementwise. `op` is one of the ABI's RGM_NEG ..., RGM_ADD ...; comparisons give BOOL.
Tensor unary(int32_t op, const Tensor& x);
Tensor binary(int32_t op, const Tensor& a, const Tensor& b);
Tensor affine(const Tensor& x, double scale, double shift);        // scale x + shift
Tensor select(const Tensor& c, const Tensor& a, const Tensor& b);  // c ? a : b; NaN on the other side does no harm
Tensor cast(const Tensor& x, rgm_dtype dtype);
Tensor multiply(const Tensor& a, const Tensor& b);  // as binary, but bfloat16 where both are
Tensor dropout(const Tensor& x, double p);          // x itself where nothing is recorded

// alpha op(a) op(b) + c over the last two axes, batch axes broadcast; c may be empty, and its memory is reused when
// nobody else holds it.
Tensor matmul(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, double alpha = 1, Tensor c = {});
// `axes`: a bit an axis. RGM_SUM, RGM_MEAN, RGM_MAXIMUM, RGM_LOGSUMEXP.
Tensor reduce(int32_t op, uint32_t axes, const Tensor& x, bool keep = false);
inline Tensor sum(const Tensor& x) { return reduce(RGM_SUM, ~0U, x); }
inline Tensor mean(const Tensor& x) { return reduce(RGM_MEAN, ~0U, x); }
Tensor segment_sum(const Tensor& x, const Tensor& segments, int64_t n);

// Shape. Views of the same memory where the strides allow it.
Tensor reshape(const Tensor& x, const Shape& shape);  // one size may be -1
Tensor permute(const Tensor& x, std::span<const int32_t> axes);
Tensor transpose(const Tensor& x);  // of the last two axes
Tensor slice(const Tensor& x, int32_t axis, int64_t begin, int64_t end);
// Views of neighbouring parts that together are x; cheaper backward than as many slices, as a fused q, k, v wants it.
std::vector<Tensor> split(const Tensor& x, int32_t axis, std::span<const int64_t> sizes);
Tensor concat(std::span<const Tensor> xs, int32_t axis);
Tensor gather(const Tensor& x, int32_t axis, const Tensor& index);  // index (n) I32
Tensor detach(const Tensor& x);
Tensor contiguous(const Tensor& x);                     // x itself when it is
Tensor broadcast(const Tensor& x, const Shape& shape);  // a view
// x itself: backward() adds to its gradient what `more` answers then, which broadcasts to x.
Tensor with_gradient(const Tensor& x, std::function<Tensor()> more);

// Larger ones.
Tensor softmax(const Tensor& x, int32_t axis);
Tensor log_softmax(const Tensor& x, int32_t axis);
Tensor cumsum(const Tensor& x, int32_t axis);
std::pair<Tensor, Tensor> top_k(const Tensor& x, int64_t k);  // values, indices I32 of the last axis
// A token a row of log-probabilities (B, V), draws (B) int32, as rgm_sample says; nothing where the backend leaves that
// to the host.
struct Drawn {
  Tensor tokens, logprobs;  // (B) int32 and float32
};
std::optional<Drawn> sample(const Tensor& logprobs, const Tensor& draws, int64_t top_k, double top_p, double min_p = 0);
Tensor pick(const Tensor& x, const Tensor& index);  // x (.., V), index (..) I32 -> (..)
// b may be empty; `dtype` is that of the result, float32 or bfloat16.
Tensor layer_norm(const Tensor& x, const Tensor& w, const Tensor& b, double epsilon, rgm_dtype dtype = RGM_F32);
Tensor rms_norm(const Tensor& x, const Tensor& w, double epsilon, rgm_dtype dtype = RGM_F32);
// y = activation(x w^T + b) + residual; x (.., in), w (out, in), b (out) or empty, residual (.., out) or empty,
// activation 0 for none. A residual that is moved in may be written over; then no other argument may read it, as the
// order in which arguments are evaluated is open. y is of `dtype`, float32 or bfloat16; float32 with a residual.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b = {}, int32_t activation = 0, Tensor residual = {},
              rgm_dtype dtype = RGM_F32);
// bfloat16 if x is
Tensor rope(const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin);

struct AttentionOptions {
  bool causal = true;
  double scale = 0;  // 0: 1 / sqrt(D)
  double softcap = 0, dropout = 0;
  int64_t window = 0, prefix = 0;           // 0: none
  Tensor q_segments = {}, k_segments = {};  // (B, T) I32, or empty
  Tensor k_lengths = {};                    // (B) I32, or empty
};
// q (B, Tq, H, D), k and v (B, Tk, Hkv, D) -> (B, Tq, H, D), bfloat16 where all three are; what a query sees: see
// kernels.h
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options);

struct HeadOptions {
  double scale = 1, softcap = 0;  // scale: one over the temperature
};
// log-probabilities (M) of targets (M) I32 under softmax(x (M, C) w (V, C)^T); a negative target gives 0.
// With `entropy` also that, (M). Logits are never whole: the backward pass makes them once more.
std::pair<Tensor, Tensor> head_logprobs(const Tensor& x, const Tensor& w, const Tensor& targets, bool entropy,
                                        const HeadOptions& options);
// sum(-weights (M) * logprobs), (): the gradient is taken while a chunk of logits is at hand.
Tensor head_cross_entropy(const Tensor& x, const Tensor& w, const Tensor& targets, const Tensor& weights,
                          const HeadOptions& options);
// sum(weights (M) * divergence of the distributions of student x, w and teacher xt, wt), (); kind as in model.h.
// `share` is the teacher's in the mixture of RGM_JENSEN_SHANNON.
Tensor head_divergence(const Tensor& x, const Tensor& w, const Tensor& xt, const Tensor& wt, const Tensor& weights,
                       int32_t kind, const HeadOptions& options, const HeadOptions& options_of_teacher,
                       double share = 0.5);

// A differentiable operation of a plug-in.
void custom(const rgm_custom_op& op, void* user, std::span<const Tensor> in, std::span<Tensor> out);

// Without a tape: what optimizers and caches need.
void scatter_add(const Tensor& y, int32_t axis, const Tensor& index, const Tensor& x);  // y[index[i]] += x[i]
Tensor sum_of_squares(std::span<const Tensor> xs);
struct AdamWItem {
  Tensor gradient, parameter, m, v;
  Tensor copy = {};  // BF16 or F16 of the parameter, for the next pass; or empty
  Tensor draw = {};  // () I32 where m and v are BF16: what their rounding is drawn from
};
// Whether the device's kernel works on moments in BF16, which the host does not compose.
bool has_narrow_adamw();
// hyper (8) F32 as in kernels.h; all parameters in one call
void adamw(const Tensor& hyper, std::span<const AdamWItem> items);

inline Tensor exp(const Tensor& x) { return unary(RGM_EXP, x); }
inline Tensor log(const Tensor& x) { return unary(RGM_LOG, x); }

}  // namespace rgm::ops

namespace rgm {

inline Tensor operator+(const Tensor& a, const Tensor& b) { return ops::binary(RGM_ADD, a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return ops::binary(RGM_SUB, a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return ops::binary(RGM_MUL, a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return ops::binary(RGM_DIV, a, b); }
inline Tensor operator-(const Tensor& x) { return ops::affine(x, -1, 0); }
inline Tensor operator*(double s, const Tensor& x) { return ops::affine(x, s, 0); }
inline Tensor operator+(const Tensor& x, double s) { return ops::affine(x, 1, s); }

}  // namespace rgm
