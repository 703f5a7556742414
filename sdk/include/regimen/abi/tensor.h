/* tensor.h - opaque tensors, and the differentiable operations that methods are written with. */
#ifndef REGIMEN_ABI_TENSOR_H
#define REGIMEN_ABI_TENSOR_H
#include "base.h"

typedef struct rgm_tensor rgm_tensor; /* a counted reference to a node on the host's tape */

enum { /* unary */
  RGM_NEG = 1, RGM_ABS, RGM_SQUARE, RGM_SQRT, RGM_RSQRT, RGM_EXP, RGM_EXPM1, RGM_LOG, RGM_LOG1P, RGM_TANH,
  RGM_SIGMOID, RGM_SOFTPLUS, RGM_RELU, RGM_SILU, RGM_GELU_TANH, RGM_GELU_ERF
};
enum { /* binary; the last three give BOOL */
  RGM_ADD = 1, RGM_SUB, RGM_MUL, RGM_DIV, RGM_MIN, RGM_MAX, RGM_LESS, RGM_LESS_EQUAL, RGM_EQUAL
};
enum { RGM_SUM = 1, RGM_MEAN, RGM_MAXIMUM, RGM_LOGSUMEXP }; /* reduce */
enum { RGM_UNIFORM = 1, RGM_NORMAL, RGM_BITS }; /* random: [0, 1); mean 0 and standard deviation 1; raw words */

/* A differentiable operation of the plug-in's own; both functions are [any]. The host owns `user` from the call of
 * custom on, and drops it exactly once, even if custom fails. */
typedef struct rgm_custom_op {
  uint32_t struct_size, reserved;
  const char* name;
  rgm_status (*forward)(void* user, rgm_tensor* const* in, rgm_tensor** out);
  /* dout[i] is F32, and zero for an output that nobody used; din[i] may stay NULL where input i needs no gradient */
  rgm_status (*backward)(void* user, rgm_tensor* const* in, rgm_tensor* const* out, rgm_tensor* const* dout,
                         rgm_tensor** din);
  void (*drop)(void* user); /* [any] the tape no longer needs `user` */
} rgm_custom_op;

typedef struct rgm_tensor_api {
  uint32_t struct_size, reserved;
  void (*retain)(rgm_tensor* t);
  void (*release)(rgm_tensor* t);
  /* shape and dtype, with data NULL; costs nothing */
  rgm_status (*describe)(const rgm_tensor* t, rgm_view* out);
  /* [outside] copies to host memory at dst->data, in t's shape, and converts to dst->dtype; waits for the device */
  rgm_status (*read)(const rgm_tensor* t, const rgm_view* dst);
  rgm_status (*write)(const rgm_view* src, rgm_tensor** out); /* copies from host memory */
  rgm_status (*full)(const rgm_view* like, double value, rgm_tensor** out);
  /* a fresh draw at every call; see Randomness in abi.h */
  rgm_status (*random)(const rgm_view* like, int32_t distribution, rgm_tensor** out);

  /* Elementwise. Shapes broadcast from the right. */
  rgm_status (*unary)(int32_t op, rgm_tensor* x, rgm_tensor** out);
  rgm_status (*binary)(int32_t op, rgm_tensor* a, rgm_tensor* b, rgm_tensor** out);
  rgm_status (*affine)(rgm_tensor* x, double scale, double shift, rgm_tensor** out); /* scale x + shift */
  /* c ? a : b; a NaN that is not selected reaches neither value nor gradient */
  rgm_status (*select)(rgm_tensor* c, rgm_tensor* a, rgm_tensor* b, rgm_tensor** out);
  rgm_status (*cast)(rgm_tensor* x, rgm_dtype dtype, rgm_tensor** out); /* floats to integers truncate */
  /* 0 with probability p, else x / (1 - p); x itself where gradients are not recorded, as in evaluate */
  rgm_status (*dropout)(rgm_tensor* x, double p, rgm_tensor** out);

  /* alpha op(a) op(b) + c over the last two axes; ta and tb, if not 0, transpose. c is NULL or [given]: if yours was
   * the only reference, its memory is reused for the result. */
  rgm_status (*matmul)(rgm_tensor* a, int32_t ta, rgm_tensor* b, int32_t tb, double alpha, rgm_tensor* c,
                       rgm_tensor** out);
  /* bit i of `axes` is axis i, which must exist; all bits set reduce everything. keep: reduced axes stay as size 1 */
  rgm_status (*reduce)(int32_t op, uint32_t axes, int32_t keep, rgm_tensor* x, rgm_tensor** out);
  /* sums x (B, T) by segment, (B, T) as in a batch: segment s goes to element s - 1 of (n); padding (0) is left out */
  rgm_status (*segment_sum)(rgm_tensor* x, rgm_tensor* segments, int64_t n, rgm_tensor** out);

  /* Shape; the result is a view where possible. One -1 in a shape stands for what is left. A negative axis counts from
   * the end. */
  rgm_status (*reshape)(rgm_tensor* x, int32_t rank, const int64_t* shape, rgm_tensor** out);
  rgm_status (*permute)(rgm_tensor* x, const int32_t* axes, rgm_tensor** out);
  rgm_status (*slice)(rgm_tensor* x, int32_t axis, int64_t begin, int64_t end, rgm_tensor** out);
  rgm_status (*concat)(rgm_tensor* const* xs, uint32_t n, int32_t axis, rgm_tensor** out);
  rgm_status (*gather)(rgm_tensor* x, int32_t axis, rgm_tensor* index, rgm_tensor** out); /* index (n), integers */
  rgm_status (*detach)(rgm_tensor* x, rgm_tensor** out); /* the same values, without a gradient */

  /* Larger operations by name, fused where the backend can:
   *   softmax(x; axis)  log_softmax(x; axis)  cumsum(x; axis)  top_k(x; k) -> values, indices along the last axis
   *   pick(x, index): from each row of the last axis, the one element at that row's index; (.., V), (..) -> (..)
   *   layer_norm(x, w, b; epsilon)  rms_norm(x, w; epsilon)  attention(q, k, v; causal, scale) of (B, T, H, D)
   * Defaults: axis the last one, k 1, epsilon 1e-5, causal true, scale 0, which means 1 / sqrt(D); b may be left out.
   * An operation or attribute that the host does not know is RGM_UNSUPPORTED. */
  rgm_status (*call)(const char* op, rgm_tensor* const* in, uint32_t n_in, const rgm_attr* attrs, uint32_t n_attrs,
                     rgm_tensor** out, uint32_t n_out);
  rgm_status (*custom)(const rgm_custom_op* op, void* user, rgm_tensor* const* in, uint32_t n_in, rgm_tensor** out,
                       uint32_t n_out);
} rgm_tensor_api;

RGM_ENDS_WITH(rgm_custom_op, drop);
RGM_ENDS_WITH(rgm_tensor_api, custom);
#endif
