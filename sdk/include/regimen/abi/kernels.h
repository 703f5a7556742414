/* kernels.h - what a backend computes. A kernel enqueues its work and returns; it sees views and knows no gradients.
 *
 * The first ten are required: fill, copy, select and gather for any dtype (copy converts); binary for F32 and I32;
 * unary, scatter_add, and reduce with SUM and MAXIMUM for F32; random for F32, and for I32 with BITS; matmul for F32,
 * and for BF16 by BF16 to F32 if the device lists BF16. Strides are arbitrary. y overlaps no input, but may be one.
 * Sums accumulate in F32 or better. The rest is optional: where an entry is NULL or returns RGM_UNSUPPORTED, the host
 * composes it from the first ten.
 *
 * BF16 occurs where a comment names it: computed in F32, and rounded to nearest even. Any kernel, even a required one,
 * may return RGM_UNSUPPORTED for such a form before it writes anything; the host then works on F32 copies.
 *
 * Floats become integers by truncation, saturate at the ends of the range, and NaN becomes 0, in fill as in copy; wide
 * integers become narrow ones by keeping their low bits.
 *
 * An index outside its axis (of gather and scatter_add, a position of rope, a target of head_loss that is V or more) is
 * RGM_INVALID, and nothing outside is read or written. The host relies on that, and turns an index that it finds wrong
 * itself into -1. If indices lie on a device, the call may return RGM_OK and the next wait or download RGM_INVALID; the
 * outputs may then hold anything.
 *
 * NaN is not lost: MIN and MAX with NaN on either side are NaN, RELU and MAXIMUM of NaN are NaN, and so is everything
 * that comes of a softmax in which a NaN counts: its row, y and lse of attention, log-probability and entropy of
 * head_loss. What an integer divided by 0 gives is left open, but it must not trap. */
#ifndef REGIMEN_ABI_KERNELS_H
#define REGIMEN_ABI_KERNELS_H
#include "tensor.h"

typedef struct rgm_queue rgm_queue;   /* its work runs in order; one thread uses it at a time */
typedef struct rgm_packed rgm_packed; /* a weight in the backend's own layout */

enum { /* rgm_linear.features */
  RGM_LINEAR_BIAS = 1, RGM_LINEAR_RESIDUAL = 2, RGM_LINEAR_ACTIVATION = 4, RGM_LINEAR_AUX = 8, RGM_LINEAR_ADD = 16,
  RGM_LINEAR_PACKED = 32, RGM_LINEAR_QUANTIZED = 64
};
/* y (M, out) = [y +] activation(x (M, in) weight^T (out, in) + bias (out)) + residual (M, out), with the terms whose
 * bits are set; [y +] is ADD. x and weight are both F32 or both BF16; with BF16, y and aux, which share a dtype, may be
 * BF16 as well. A frozen weight may be BF16 beside an x of F32: the product is then of float32 values. bias and
 * residual are F32, and with RESIDUAL so is y.
 *
 * QUANTIZED: the weight's values are those that dequantize makes of codes and scales, in the dtype of x. Asked for any M:
 * where reading values is faster, RGM_UNSUPPORTED, and the host makes them. */
typedef struct rgm_linear {
  uint32_t struct_size, features;
  int32_t activation; /* a unary operation */
  uint32_t reserved;
  const rgm_view *x, *weight;
  const rgm_packed* packed; /* PACKED: used in place of weight, with an x of F32 */
  const rgm_view *bias, *residual, *aux, *y; /* AUX: aux (M, out) receives the activation's input */
  const rgm_view *codes, *scales; /* QUANTIZED: used in place of weight, as in rgm_dequantize */
} rgm_linear;

enum { /* rgm_attention.features: which of the fields below are in use */
  RGM_ATTENTION_CAUSAL = 1, RGM_ATTENTION_SOFTCAP = 2, RGM_ATTENTION_DROPOUT = 4, RGM_ATTENTION_WINDOW = 8,
  RGM_ATTENTION_PREFIX = 16, RGM_ATTENTION_SEGMENTS = 32, RGM_ATTENTION_LENGTHS = 64
};
/* q k v y are (B, T, H, D); k and v may have fewer heads, Hkv, each of which serves H / Hkv heads of q. q k v y dy dq
 * dk dv are all F32 or all BF16. */
typedef struct rgm_attention {
  uint32_t struct_size, features;
  double scale, softcap, dropout;
  int64_t window; /* how many keys a query looks back on, its own included */
  int64_t prefix; /* so many keys at the front are exempt from WINDOW and SEGMENTS */
  const rgm_view *q, *k, *v, *y, *lse;       /* lse (B, H, Tq) F32, log-sum-exp: written forward, read backward */
  const rgm_view *q_segments, *k_segments;   /* (B, T) I32 */
  const rgm_view* k_lengths;                 /* (B) I32: how many keys of each row are in use, when decoding */
  const rgm_view* key;                       /* of dropout's random numbers, as in random */
  const rgm_view *dy, *dq, *dk, *dv;         /* attention_grad only */
} rgm_attention;
/* Query i of Tq sees key j of the Tk in use if these hold, each where its bit is set:
 *   CAUSAL    j <= i + Tk - Tq, so that the last query sees the last key in use
 *   WINDOW    i + Tk - Tq - j < window, or j < prefix
 *   SEGMENTS  the segments of i and j are equal, or j < prefix
 * A query of segment 0 is padding, as is one that sees no key: y 0, lse -INFINITY, no gradient. SOFTCAP: the score
 * s = scale q k^T becomes softcap tanh(s / softcap). DROPOUT: the softmax's weight (b, h, i, j) becomes 0 if that
 * element of a UNIFORM draw, row-major in (B, H, Tq, Tk), is below dropout, and is divided by 1 - dropout otherwise. */

enum { /* rgm_linear_grad.features */
  RGM_LINEAR_GRAD_ADD_DX = 1, RGM_LINEAR_GRAD_ADD_DW = 2, RGM_LINEAR_GRAD_ADD_DB = 4, RGM_LINEAR_GRAD_ACTIVATION = 8
};
/* Of y = x weight^T + bias: dx (M, in) = dy (M, out) weight, dw (out, in) = dy^T x, db (out) = the sum of dy's rows.
 * Each is NULL where it is not wanted, and with its ADD bit is added to what is there. ACTIVATION, never with ADD_DX: x
 * was activation(aux (M, in)), and dx is the gradient of aux, (dy weight) activation'(aux). x and weight are both F32
 * or both BF16; with BF16, dy, dx and aux may be BF16 as well. dw and db are F32; for dw, dy is read in x's dtype. */
typedef struct rgm_linear_grad {
  uint32_t struct_size, features;
  int32_t activation; /* a unary operation */
  uint32_t reserved;
  const rgm_view *dy, *x, *weight, *aux, *dx, *dw, *db; /* without dw, x may be NULL; without dx, weight */
} rgm_linear_grad;

enum { /* ADD, of norm_grad only: dx is added to what is there */
  RGM_NORM_MEAN = 1 /* layer norm; otherwise RMS norm */, RGM_NORM_BIAS = 2, RGM_NORM_RESIDUAL = 4, RGM_NORM_ADD = 8
};
/* y (M, C) = (x - mean) rstd w + b, rstd = 1 / sqrt(mean of (x - mean)^2 + epsilon); in RMS norm mean is 0. RESIDUAL: x
 * itself first becomes x + residual, and norm_grad gets that x. x, residual and dx share a dtype, F32 or BF16; y and dy
 * may each be either. */
typedef struct rgm_norm {
  uint32_t struct_size, features;
  double epsilon;
  const rgm_view *x, *residual, *w, *b, *y, *mean, *rstd; /* mean, rstd (M) F32: written forward, read backward */
  const rgm_view *dy, *dx, *dw, *db;                      /* norm_grad only; dw, db are added to, or NULL if frozen */
} rgm_norm;

/* Rotary positions: each head of x (B, T, H, D) is rotated into y in the pairs (i, i + R/2), i < R/2; the rest of it is
 * copied. x and y are both F32 or both BF16. */
typedef struct rgm_rope {
  uint32_t struct_size, features; /* 0 so far */
  /* positions (B, T) I32; cos, sin (context, R/2) F32, a row for each position. Backward: the same with sin negated */
  const rgm_view *x, *positions, *cos, *sin, *y;
} rgm_rope;

enum { RGM_HEAD_SOFTCAP = 1, RGM_HEAD_ENTROPY = 2, RGM_HEAD_GRAD = 4 };
/* Log-probabilities (M) of targets (M) I32 under softmax(scale z), z = x (M, C) w (V, C)^T; with SOFTCAP, z first
 * becomes softcap tanh(z / softcap). A negative target leaves its row out: 0 in every output. Logits are made in
 * chunks, so that all M V never exist at once. x, w and dx are all F32 or all BF16; w alone may be BF16, like a weight
 * of rgm_linear. The rest is F32. */
typedef struct rgm_head_loss {
  uint32_t struct_size, features;
  double scale, softcap;
  const rgm_view *x, *w, *targets, *logprobs, *entropy;
  /* GRAD, of sum(-weights (M) * logprobs): dx (M, C) is written, or NULL; dw (V, C) is added to, NULL if w is frozen */
  const rgm_view *weights, *dx, *dw;
} rgm_head_loss;

enum { RGM_ADAMW_NARROW = 1 }; /* rgm_adamw.features */
/* AdamW (arXiv 1711.05101) of one parameter; all views but draw have its shape. With the numbers of adamw's hyper, and
 * d = factor g:
 *   m = beta1 m + (1 - beta1) d      v = beta2 v + (1 - beta2) d^2
 *   p -= rate decay p, and then p -= rate (m / c1) / (sqrt(v / c2) + epsilon)
 *
 * NARROW: m and v are BF16, and their new values are rounded stochastically, up as often as the remainder says (Gupta
 * et al., arXiv 1502.02551): 16 random bits are added to the bits of the float32, whose upper half then is the result.
 * Element i, row-major, has w = (draw + i) mod 2^32, mixed by
 *   w ^= w >> 16, w *= 0x7FEB352D, w ^= w >> 15, w *= 0x846CA68B, w ^= w >> 16
 * and m takes its lower half, v its upper half. p moves by the moments as they were before rounding. */
typedef struct rgm_adamw {
  uint32_t struct_size, features;
  const rgm_view *g, *p, *m, *v;  /* F32 gradient, master, moments */
  const rgm_view* copy;           /* receives the new p in BF16 or F16, rounded as by the kernel copy; or NULL */
  const rgm_view* draw;           /* NARROW: () I32, a different one for every parameter and step */
} rgm_adamw;

enum { RGM_SAMPLE_MIN_P = 1 }; /* rgm_sample.features */
/* A token for each row of x (B, V) F32, which are log-probabilities: drawn from the top_k likeliest tokens (0: all),
 * and of these from the fewest that hold top_p of their probability (1: all). Equally likely tokens are taken by index.
 * MIN_P (arXiv 2407.01082): of these only from those with x >= the row's largest + log_min_p; log_min_p and the sum are
 * rounded to float32. Probabilities are counted in whole numbers, so that no sum depends on its order; where top_k
 * limits nothing, all together count 2^40, but with MIN_P those that may be drawn always count the sum of their own
 * counts. The token is the first, likeliest first, with which the running sum exceeds draw 2^-32 of what all that may
 * be drawn count, or otherwise the last that counts. A row with a NaN, or whose largest element is infinite, has the
 * token -1.
 *
 * The count of x, the same everywhere to the bit: 0 below -30, that of 0 above 0, otherwise the whole number nearest to
 * p 2^(n + 40), ties to even. In float32, rounded after each operation (Moshier, Cephes: e^r):
 *   n = x 1.44269504 to the nearest whole number      r = (x - n 0.693359375) + n 2.12194440e-4
 *   q = ((((1.9875691500e-4 r + 1.3981999507e-3) r + 8.3334519073e-3) r + 4.1665795894e-2) r + 1.6666665459e-1) r
 *       + 5.0000001201e-1
 *   p = (q (r r) + r) + 1 */
typedef struct rgm_sample {
  uint32_t struct_size, features;
  int64_t top_k;
  double top_p;
  const rgm_view *x, *draws;         /* draws (B) I32: 32 random bits per row, read as unsigned */
  const rgm_view *tokens, *logprobs; /* (B) I32, and (B) F32: x of the token, or NaN for token -1 */
  double log_min_p;                  /* MIN_P: the natural logarithm of min_p, at most 0 */
} rgm_sample;

/* A matrix y (out, in) that is kept in four bits an element, NF4 (Dettmers et al., arXiv 2305.14314, appendix E):
 * y[i, j] = level[code] scales[i, j / 64], a product of float32 values that is rounded where y is BF16. Byte j / 2 of row
 * i of codes (out, in / 2) U8 has the code of an even j in its upper four bits, and of an odd one in its lower; scales
 * (out, in / 64) F32. in is a multiple of 64. y is F32 or BF16. The sixteen levels are RGM_NF4_LEVELS. */
typedef struct rgm_dequantize {
  uint32_t struct_size, features; /* 0 so far */
  const rgm_view *codes, *scales, *y;
} rgm_dequantize;
#define RGM_NF4_LEVELS                                                                                             \
  -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,                 \
      -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f,              \
      0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f

typedef struct rgm_kernels {
  uint32_t struct_size, reserved;
  rgm_status (*fill)(rgm_queue* q, double value, const rgm_view* y);
  rgm_status (*copy)(rgm_queue* q, const rgm_view* x, const rgm_view* y); /* one shape; x may repeat by stride 0 */
  rgm_status (*unary)(rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* y);
  /* ADD and MUL also with a, b and y all BF16 */
  rgm_status (*binary)(rgm_queue* q, int32_t op, const rgm_view* a, const rgm_view* b, const rgm_view* y);
  rgm_status (*select)(rgm_queue* q, const rgm_view* c, const rgm_view* a, const rgm_view* b, const rgm_view* y);
  /* y has the rank of x, and size 1 at the reduced axes (bit i: axis i). SUM also from an x of BF16 to a y of F32 */
  rgm_status (*reduce)(rgm_queue* q, int32_t op, uint32_t axes, const rgm_view* x, const rgm_view* y);
  /* y (.., M, N) = alpha a (.., M, K) b (.., K, N) + beta y, beta 0 or 1; with 0, y may hold anything before. y is F32,
   * or BF16 if a and b are; a may be F32 beside a b of BF16, as in rgm_linear */
  rgm_status (*matmul)(rgm_queue* q, double alpha, const rgm_view* a, const rgm_view* b, double beta,
                       const rgm_view* y);
  /* y[i] = x[index[i]] along axis; index (n) I32, here and in scatter_add */
  rgm_status (*gather)(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* index, const rgm_view* y);
  /* y[index[i]] += x[i] along axis, in the order of i. Also with x and y BF16, for keys and values: no index twice */
  rgm_status (*scatter_add)(rgm_queue* q, int32_t axis, const rgm_view* index, const rgm_view* x, const rgm_view* y);
  /* key (6) I32 on the device: two words of key, then four of counter, low word first. Element i, row-major, is made of
   * word i % 4 of the Philox4x32-10 block at counter + i / 4 (Salmon et al., SC 2011). BITS: the word w. UNIFORM:
   * (w >> 8) 2^-24. NORMAL: the words w0, w1 of elements 2j, 2j + 1 give r cos(a), r sin(a) with
   * r^2 = -2 ln(((w0 >> 8) + 1) 2^-24) and a = 2 pi (w1 >> 8) 2^-24. */
  rgm_status (*random)(rgm_queue* q, const rgm_view* key, int32_t distribution, const rgm_view* y);

  /* Optional from here on. dx = dy op'(x), all F32 or all BF16; the derivative of ABS and RELU is 0 at 0 and at NaN */
  rgm_status (*unary_grad)(rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* dy, const rgm_view* dx);
  rgm_status (*softmax)(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y);
  rgm_status (*softmax_grad)(rgm_queue* q, int32_t axis, const rgm_view* y, const rgm_view* dy, const rgm_view* dx);
  rgm_status (*cumsum)(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y);
  /* the k largest along the last axis, in falling order, equal ones by index, NaN last. k is the last size of y and of
   * index (I32): 1 is argmax, all of them a sort */
  rgm_status (*top_k)(rgm_queue* q, const rgm_view* x, const rgm_view* y, const rgm_view* index);
  rgm_status (*norm)(rgm_queue* q, const rgm_norm* args);
  rgm_status (*norm_grad)(rgm_queue* q, const rgm_norm* args);
  rgm_status (*rope)(rgm_queue* q, const rgm_rope* args);
  rgm_status (*attention)(rgm_queue* q, const rgm_attention* args);
  rgm_status (*attention_grad)(rgm_queue* q, const rgm_attention* args);
  rgm_status (*linear)(rgm_queue* q, const rgm_linear* args);
  /* Lays out a frozen weight (out, in) as linear reads it fastest; RGM_UNSUPPORTED if that is how it lies already. The
   * weight's own memory may be freed afterwards. scales: as the weight's dtype needs them, or NULL. transposed 1: for
   * dx, instead of y */
  rgm_status (*pack)(rgm_queue* q, const rgm_view* weight, const rgm_view* scales, int32_t transposed,
                     rgm_packed** out);
  void (*unpack)(rgm_packed* packed); /* frees it */
  rgm_status (*head_loss)(rgm_queue* q, const rgm_head_loss* args);
  /* hyper (8) F32 on the device: rate, beta1, beta2, epsilon, decay, c1 = 1 - beta1^t, c2 = 1 - beta2^t, factor of g. A
   * factor of NaN means that this step must not be taken: nothing is written */
  rgm_status (*adamw)(rgm_queue* q, const rgm_view* hyper, uint32_t n, const rgm_adamw* const* items);
  /* y () F32 = the sum of the squares of all elements of n F32 tensors, accumulated in F64 */
  rgm_status (*sum_of_squares)(rgm_queue* q, uint32_t n, const rgm_view* const* xs, const rgm_view* y);
  rgm_status (*linear_grad)(rgm_queue* q, const rgm_linear_grad* args);
  rgm_status (*sample)(rgm_queue* q, const rgm_sample* args);
  rgm_status (*dequantize)(rgm_queue* q, const rgm_dequantize* args);
} rgm_kernels;

RGM_ENDS_WITH(rgm_linear, scales);
RGM_ENDS_WITH(rgm_linear_grad, db);
RGM_ENDS_WITH(rgm_attention, dv);
RGM_ENDS_WITH(rgm_norm, db);
RGM_ENDS_WITH(rgm_rope, y);
RGM_ENDS_WITH(rgm_head_loss, dw);
RGM_ENDS_WITH(rgm_adamw, draw);
RGM_ENDS_WITH(rgm_sample, log_min_p);
RGM_ENDS_WITH(rgm_dequantize, y);
RGM_ENDS_WITH(rgm_kernels, dequantize);
#endif
