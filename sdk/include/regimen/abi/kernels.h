/* kernels.h - what a backend computes. Kernels enqueue and return; they see views and know no gradients.
 *
 * The ten in front are required: fill, copy, select and gather for any dtype (copy converts); binary for F32 and I32;
 * unary, scatter_add and reduce by SUM and MAXIMUM for F32; random for F32, and I32 bits; matmul for F32, and BF16 by
 * BF16 to F32 where the device lists BF16. Strides are arbitrary. y overlaps no input, but may be one. Sums accumulate
 * in F32 or better. The rest is optional: NULL or RGM_UNSUPPORTED, and the host composes it from those in front.
 *
 * BF16 comes where a comment names it, computed in F32 and rounded to the nearest even. Any kernel, a required one too,
 * may answer RGM_UNSUPPORTED to such a form before it writes anything: the host then works on F32 copies.
 *
 * Floats become integers by truncation, stop at the ends of the range, and NaN is 0, in fill as in copy; integers
 * become narrower ones by their last bits.
 *
 * An index outside of its axis - of gather and scatter_add, a position of rope, a target of head_loss from V on - is
 * RGM_INVALID, and nothing outside is read or written: the host relies on that, and makes an index that it finds wrong
 * -1. Where indices lie on a device the call may be RGM_OK, and the next wait or download RGM_INVALID; the outputs may
 * hold anything then.
 *
 * NaN is not lost: MIN and MAX with NaN on either side, RELU and MAXIMUM of it are NaN, and so is all that comes of a
 * softmax in which one counts: its line, y and lse of attention, log-probability and entropy of head_loss. What an
 * integer divided by 0 gives is left open, but it must not trap. */
#ifndef REGIMEN_ABI_KERNELS_H
#define REGIMEN_ABI_KERNELS_H
#include "tensor.h"

typedef struct rgm_queue rgm_queue;   /* work runs in order; one thread uses a queue at a time */
typedef struct rgm_packed rgm_packed; /* a weight in the backend's own layout */

enum { /* rgm_linear.features */
  RGM_LINEAR_BIAS = 1, RGM_LINEAR_RESIDUAL = 2, RGM_LINEAR_ACTIVATION = 4, RGM_LINEAR_AUX = 8, RGM_LINEAR_ADD = 16,
  RGM_LINEAR_PACKED = 32
};
/* y (M, out) = [y +] activation(x (M, in) weight^T (out, in) + bias (out)) + residual. x and weight are F32, or BF16
 * both; then y and aux, which have one dtype, may be BF16 as well. A weight that is frozen may be BF16 with an x of F32:
 * the product is of float32 values. bias and residual are F32, and with RESIDUAL so is y. */
typedef struct rgm_linear {
  uint32_t struct_size, features;
  int32_t activation; /* a unary operation */
  uint32_t reserved;
  const rgm_view *x, *weight;
  const rgm_packed* packed; /* PACKED: instead of weight, beside an x of F32 */
  const rgm_view *bias, *residual, *aux, *y; /* aux (M, out): receives what the activation was given */
} rgm_linear;

enum { /* rgm_attention.features: which of the fields below count */
  RGM_ATTENTION_CAUSAL = 1, RGM_ATTENTION_SOFTCAP = 2, RGM_ATTENTION_DROPOUT = 4, RGM_ATTENTION_WINDOW = 8,
  RGM_ATTENTION_PREFIX = 16, RGM_ATTENTION_SEGMENTS = 32, RGM_ATTENTION_LENGTHS = 64
};
/* q k v y are (B, T, H, D); k and v may have fewer heads, each serves H / Hkv of q. All of q k v y dy dq dk dv are F32,
 * or all BF16. */
typedef struct rgm_attention {
  uint32_t struct_size, features;
  double scale, softcap, dropout;
  int64_t window; /* keys a query looks back on, itself included */
  int64_t prefix; /* the first so many keys are seen by every query, whatever its segment */
  const rgm_view *q, *k, *v, *y, *lse;       /* lse (B, H, Tq) F32, written forward, read backward */
  const rgm_view *q_segments, *k_segments;   /* (B, T) I32 */
  const rgm_view* k_lengths;                 /* (B) I32: keys in use, when decoding */
  const rgm_view* key;                       /* of dropout, as in random */
  const rgm_view *dy, *dq, *dk, *dv;         /* attention_grad only */
} rgm_attention;
/* Query i of Tq sees key j of the Tk in use when all hold: CAUSAL, j <= i + Tk - Tq (the last query sees the last key
 * in use); WINDOW, i + Tk - Tq - j < window or j < prefix; SEGMENTS, the segments of i and j are equal or j < prefix.
 * A query of segment 0 is padding, as is one that sees no key: y 0, lse -INFINITY, no gradient. softcap: scores
 * become softcap tanh(score / softcap). */

enum { /* rgm_linear_grad.features */
  RGM_LINEAR_GRAD_ADD_DX = 1, RGM_LINEAR_GRAD_ADD_DW = 2, RGM_LINEAR_GRAD_ADD_DB = 4, RGM_LINEAR_GRAD_ACTIVATION = 8
};
/* Of y = x weight^T + bias: dx (M, in) = dy (M, out) weight, dw (out, in) = dy^T x, db (out) = the sum of dy's rows; NULL
 * where not wanted, and added to what is there with its ADD. ACTIVATION, never with ADD_DX: x was activation(aux (M,
 * in)), and dx is for aux: dx = (dy weight) activation'(aux). x and weight are F32, or BF16 both; then dy, dx and aux may
 * be BF16 as well. dw and db are F32. dw reads dy as x's dtype. */
typedef struct rgm_linear_grad {
  uint32_t struct_size, features;
  int32_t activation; /* a unary operation */
  uint32_t reserved;
  const rgm_view *dy, *x, *weight, *aux, *dx, *dw, *db; /* x may be NULL without dw, weight without dx */
} rgm_linear_grad;

enum { /* norm_grad alone: ADD, dx is added to what is there */
  RGM_NORM_MEAN = 1 /* layer norm; else root mean square */, RGM_NORM_BIAS = 2, RGM_NORM_RESIDUAL = 4, RGM_NORM_ADD = 8
};
/* y (M, C) = (x - mean) rstd w + b; with a residual x is first set to x + residual. y and dy are F32 or BF16, whatever
 * x, residual and dx are, which have one dtype. */
typedef struct rgm_norm {
  uint32_t struct_size, features;
  double epsilon;
  const rgm_view *x, *residual, *w, *b, *y, *mean, *rstd; /* mean, rstd (M) F32, written forward, read backward */
  const rgm_view *dy, *dx, *dw, *db;                      /* norm_grad only; dw, db are added to, NULL if frozen */
} rgm_norm;

/* turns the pairs (i, i + R/2), i < R/2, of x (B, T, H, D) into y; the rest is copied. x and y: F32, or BF16 */
typedef struct rgm_rope {
  uint32_t struct_size, features; /* 0 so far */
  const rgm_view *x, *positions, *cos, *sin, *y; /* (B, T) I32; (context, R/2) F32. Backward: sin negated */
} rgm_rope;

enum { RGM_HEAD_SOFTCAP = 1, RGM_HEAD_ENTROPY = 2, RGM_HEAD_GRAD = 4 };
/* log-probabilities (M) of targets (M) I32 under softmax(x (M, C) w (V, C)^T * scale), soft-capped before the scale; a
 * negative target leaves its row out: 0 everywhere. Logits are made in chunks, M V of them never exist. x, w and dx are
 * F32, or BF16; w may be BF16 alone, as a weight of rgm_linear; all else F32. */
typedef struct rgm_head_loss {
  uint32_t struct_size, features;
  double scale, softcap;
  const rgm_view *x, *w, *targets, *logprobs, *entropy;
  /* GRAD: of sum(-weights (M) * logprobs): dx (M, C) is written, or NULL; dw is added to, NULL when w is frozen */
  const rgm_view *weights, *dx, *dw;
} rgm_head_loss;

enum { RGM_ADAMW_NARROW = 1 }; /* rgm_adamw.features */
/* One parameter; all of one shape. NARROW: m and v are BF16, and what they become is rounded at random, up as often as
 * its remainder says (Gupta et al., arXiv 1502.02551): 16 random bits are added to those of the float32, whose upper half
 * then is the result. Element i, row-major, has w = draw + i mod 2^32, mixed by w ^= w >> 16, w *= 0x7FEB352D,
 * w ^= w >> 15, w *= 0x846CA68B, w ^= w >> 16; m takes its lower half and v its upper one. p moves by the moments as they
 * were before that. */
typedef struct rgm_adamw {
  uint32_t struct_size, features;
  const rgm_view *g, *p, *m, *v;  /* F32 gradient, master, moments */
  const rgm_view* copy;           /* BF16 or F16 of the new p, as copy would round it; NULL: none */
  const rgm_view* draw;           /* () I32, with NARROW: another one for every parameter and step */
} rgm_adamw;

/* A token for each row of x (B, V) F32, log-probabilities: drawn from the top_k likeliest (0: from all), and of these
 * from the fewest that have top_p of their probability (1: from all). Equal ones follow by index. Probabilities count in
 * whole numbers, so that sums have no order; where neither limit holds, 2^40 is what all have. The token is the first one, likeliest first, with which the sum is more than draw 2^-32 of what all that may be drawn
 * have, or the last one that counts. A row with a NaN, or whose largest is infinite, has the token -1.
 *
 * The count of x, the same to the bit everywhere: 0 below -30, that of 0 above 0, else the whole number nearest to
 * p 2^(n + 40), even ones at ties. In float32, rounded after each operation: n = x 1.44269504 to the nearest whole number,
 * r = (x - n 0.693359375) + n 2.12194440e-4, and p = (q (r r) + r) + 1 with q = ((((1.9875691500e-4 r + 1.3981999507e-3) r
 * + 8.3334519073e-3) r + 4.1665795894e-2) r + 1.6666665459e-1) r + 5.0000001201e-1 (Moshier, Cephes: e^r). */
typedef struct rgm_sample {
  uint32_t struct_size, features;
  int64_t top_k;
  double top_p;
  const rgm_view *x, *draws;         /* draws (B) I32: 32 random bits a row */
  const rgm_view *tokens, *logprobs; /* (B) I32, and (B) F32: x of the token, or NaN */
} rgm_sample;

typedef struct rgm_kernels {
  uint32_t struct_size, reserved;
  rgm_status (*fill)(rgm_queue* q, double value, const rgm_view* y);
  rgm_status (*copy)(rgm_queue* q, const rgm_view* x, const rgm_view* y); /* x broadcasts by strides */
  rgm_status (*unary)(rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* y);
  /* ADD and MUL: also a, b and y BF16 */
  rgm_status (*binary)(rgm_queue* q, int32_t op, const rgm_view* a, const rgm_view* b, const rgm_view* y);
  rgm_status (*select)(rgm_queue* q, const rgm_view* c, const rgm_view* a, const rgm_view* b, const rgm_view* y);
  /* keeps rank. SUM: also x BF16, y F32 */
  rgm_status (*reduce)(rgm_queue* q, int32_t op, uint32_t axes, const rgm_view* x, const rgm_view* y);
  /* y (.., M, N) = alpha a (.., M, K) b (.., K, N) + beta y, beta 0 or 1; with 0, y may hold anything. y is F32, or BF16
   * where a and b are; a may be F32 with a b of BF16, as in rgm_linear */
  rgm_status (*matmul)(rgm_queue* q, double alpha, const rgm_view* a, const rgm_view* b, double beta,
                       const rgm_view* y);
  rgm_status (*gather)(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* index, const rgm_view* y);
  /* y[index[i]] += x[i] along axis, in the order of i. Also x and y BF16: keys and values, one index each */
  rgm_status (*scatter_add)(rgm_queue* q, int32_t axis, const rgm_view* index, const rgm_view* x, const rgm_view* y);
  /* key (6) I32 on the device: two words of key, four of counter, low first. Element i, row-major, is word i % 4 of
   * the Philox block counter + i / 4. UNIFORM (w >> 8) 2^-24. NORMAL: words w0, w1 at 2j, 2j + 1 give r cos(a),
   * r sin(a) with r^2 = -2 ln(((w0 >> 8) + 1) 2^-24) and a = 2 pi (w1 >> 8) 2^-24. */
  rgm_status (*random)(rgm_queue* q, const rgm_view* key, int32_t distribution, const rgm_view* y);

  /* optional from here. unary_grad: x, dy and dx F32, or all BF16; the derivatives of ABS and RELU are 0 at 0 and NaN */
  rgm_status (*unary_grad)(rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* dy, const rgm_view* dx);
  rgm_status (*softmax)(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y);
  rgm_status (*softmax_grad)(rgm_queue* q, int32_t axis, const rgm_view* y, const rgm_view* dy, const rgm_view* dx);
  rgm_status (*cumsum)(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y);
  /* the k largest of the last axis, falling, equal ones by index, NaN last; k 1 is argmax, k all sorts. index I32 */
  rgm_status (*top_k)(rgm_queue* q, const rgm_view* x, const rgm_view* y, const rgm_view* index);
  rgm_status (*norm)(rgm_queue* q, const rgm_norm* args);
  rgm_status (*norm_grad)(rgm_queue* q, const rgm_norm* args);
  rgm_status (*rope)(rgm_queue* q, const rgm_rope* args);
  rgm_status (*attention)(rgm_queue* q, const rgm_attention* args);
  rgm_status (*attention_grad)(rgm_queue* q, const rgm_attention* args);
  rgm_status (*linear)(rgm_queue* q, const rgm_linear* args);
  /* a frozen weight (out, in) in the order that linear reads fastest; RGM_UNSUPPORTED where that is the one it has. The
   * weight's memory may go then. scales as the weight's dtype needs them, or NULL. transposed 1: for dX */
  rgm_status (*pack)(rgm_queue* q, const rgm_view* weight, const rgm_view* scales, int32_t transposed,
                     rgm_packed** out);
  void (*unpack)(rgm_packed* packed); /* frees it */
  rgm_status (*head_loss)(rgm_queue* q, const rgm_head_loss* args);
  /* hyper (8) F32 on the device: rate, beta1, beta2, epsilon, decay, 1 - beta1^t, 1 - beta2^t, factor of g. A factor
   * that is NaN says that this step must not be taken: nothing is written */
  rgm_status (*adamw)(rgm_queue* q, const rgm_view* hyper, uint32_t n, const rgm_adamw* const* items);
  /* y () F32 = the sum of the squares of all elements of n F32 tensors, accumulated in F64 */
  rgm_status (*sum_of_squares)(rgm_queue* q, uint32_t n, const rgm_view* const* xs, const rgm_view* y);
  rgm_status (*linear_grad)(rgm_queue* q, const rgm_linear_grad* args);
  rgm_status (*sample)(rgm_queue* q, const rgm_sample* args);
} rgm_kernels;

RGM_ENDS_WITH(rgm_linear, y);
RGM_ENDS_WITH(rgm_linear_grad, db);
RGM_ENDS_WITH(rgm_attention, dv);
RGM_ENDS_WITH(rgm_norm, db);
RGM_ENDS_WITH(rgm_rope, y);
RGM_ENDS_WITH(rgm_head_loss, dw);
RGM_ENDS_WITH(rgm_adamw, draw);
RGM_ENDS_WITH(rgm_sample, logprobs);
RGM_ENDS_WITH(rgm_kernels, sample);
#endif
