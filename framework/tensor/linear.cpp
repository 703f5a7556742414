// linear.cpp - a linear layer with bias, activation and residual in one kernel; and rotary positions.
#include "tensor/composed.hpp"
#include "tensor/gradients.hpp"
#include "tensor/packed.hpp"
#include "tensor/quantized.hpp"
#include "tensor/support.hpp"

namespace rgm::ops {

// y (.., out) = activation(x (.., in) w^T (out, in) + b (out)) + residual (.., out)
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias, int32_t activation, Tensor residual,
              rgm_dtype dtype) {
  require(w.rank() == 2, "linear: weight has {} dimensions, expected 2", w.rank());
  require(x.rank() >= 1 && x.size(-1) == w.size(1), "linear: x of shape {} does not fit a weight of shape {}",
          x.shape().text(), w.shape().text());
  require(!bias || (bias.rank() == 1 && bias.size(0) == w.size(0)), "linear: bias has shape {}, expected ({})",
          bias ? bias.shape().text() : "", w.size(0));
  require(activation >= 0 && activation <= RGM_GELU_ERF, "linear: {} is not an activation", activation);
  require(dtype == RGM_F32 || (dtype == RGM_BF16 && !residual), "linear: a result in {} is not supported",
          name_of(dtype));
  Shape shape = x.shape();
  shape[shape.rank() - 1] = w.size(0);
  if (residual)
    require(rgm::broadcast(residual.shape(), shape, "linear") == shape,
            "linear: residual of shape {} does not fit into {}", residual.shape().text(), shape.text());
  const rgm_kernels& k = kernel::table();
  const rgm_packed* const packed = packed_form(w);
  const QuantizedWeight* const quantized = quantized_form(w);
  const rgm_dtype of_weight = quantized && x.dtype() == RGM_BF16 ? RGM_BF16 : w.dtype();
  const auto composed = [&] {
    if (packed) throw Error(RGM_INTERNAL, "the backend does not read a weight that it has packed");
    return cast(composed::linear(x, readable(w, of_weight), bias, activation, residual), dtype);
  };
  if (!RGM_HAS(&k, linear)) return composed();

  const bool records = would_record({&x, &w, &bias, &residual}), native = !packed && native_bf16(x.dtype(), of_weight);
  require(!packed || !records, "linear: no gradient goes through a packed weight");
  const auto quiet = [&](const Tensor& t) {  // converted without a trace: the rule works with what came
    const NoGradient no_gradient;
    return as_float(t);
  };
  const Tensor rows = rows_of(native ? x : quiet(x));
  Tensor weight = quantized || native || packed || w.dtype() == RGM_BF16 ? w : quiet(w);
  const Tensor b = bias ? quiet(bias) : bias;
  const int64_t M = rows.size(0), out = w.size(0);
  // Over the residual, where nobody else needs it.
  const bool in_place = residual && writable(residual) && is_contiguous(residual.view()) && residual.shape() == shape;
  // Only products of bfloat16 are rounded by the kernel; the rest is float32 and cast.
  const rgm_dtype own = native ? dtype : RGM_F32;
  Tensor y = in_place ? alias(residual, residual.view()) : empty(shape, own);
  const Tensor aux = activation && would_record({&x, &w, &bias}) ? empty({M, out}, own) : Tensor();
  const rgm_view y_rows = dense_view({M, out}, own, y.view().data);
  Tensor added;
  if (residual) {
    const Tensor plain = quiet(residual);
    added = rows_of(alias(plain, broadcast_to(plain.view(), shape)));
  }

  rgm_linear args{};
  args.struct_size = sizeof args;
  args.features = (b ? uint32_t{RGM_LINEAR_BIAS} : 0) | (residual ? uint32_t{RGM_LINEAR_RESIDUAL} : 0) |
                  (activation ? uint32_t{RGM_LINEAR_ACTIVATION} : 0) | (aux ? uint32_t{RGM_LINEAR_AUX} : 0) |
                  (packed ? uint32_t{RGM_LINEAR_PACKED} : 0);
  args.activation = activation;
  args.x = &rows.view();
  args.packed = packed;
  args.bias = b ? &b.view() : nullptr;
  args.residual = residual ? &added.view() : nullptr;
  args.aux = aux ? &aux.view() : nullptr;
  args.y = &y_rows;
  bool done = false;
  if (quantized && rows.dtype() == of_weight) {
    rgm_linear by_codes = args;
    by_codes.features |= RGM_LINEAR_QUANTIZED;
    by_codes.codes = &quantized->codes.view(), by_codes.scales = &quantized->scales.view();
    done = kernel::ran(k.linear(kernel::queue(), &by_codes));
  }
  // The values live for the product alone: the tape keeps what was given.
  if (quantized && !done) weight = readable(w, of_weight);
  args.weight = packed ? nullptr : &weight.view();
  if (!done &&
      !kernel::ran_with(k.linear, args, {&rgm_linear::x, &rgm_linear::weight}, {&rgm_linear::aux, &rgm_linear::y}))
    return composed();
  if (records) {
    const bool before_activation = would_record({&x, &w, &bias});
    const bool keeps_x = w.needs_gradient() && (native || !gradients::remakes(x.get()->step.get()));
    record("linear", gradients::linear, {&x, &w, &bias, &residual}, {&y},
           {keeps_x ? x : Tensor(), x.needs_gradient() ? w : Tensor(), before_activation ? aux : Tensor()},
           {.i = {before_activation ? activation : 0, native}});
  }
  return cast(y, dtype);
}

Tensor rope(const Tensor& input, const Tensor& positions, const Tensor& cos, const Tensor& sin) {
  const Tensor x = input.dtype() == RGM_BF16 ? input : as_float(input);
  require(x.rank() == 4, "rope: x has {} dimensions, expected (B, T, H, D)", x.rank());
  require(positions.shape() == Shape({x.size(0), x.size(1)}), "rope: positions have shape {}, x {}",
          positions.shape().text(), x.shape().text());
  require(cos.rank() == 2 && cos.shape() == sin.shape() && 2 * cos.size(1) <= x.size(3),
          "rope: tables of shapes {} and {} for heads of {}", cos.shape().text(), sin.shape().text(), x.size(3));
  const rgm_kernels& k = kernel::table();
  const auto composed = [&] { return cast(composed::rope(x, positions, cos, sin), x.dtype()); };
  if (!RGM_HAS(&k, rope)) return composed();
  Tensor y = empty(x.shape(), x.dtype());
  rgm_rope args{};
  args.struct_size = sizeof args;
  args.x = &x.view();
  args.positions = &positions.view();
  args.cos = &cos.view();
  args.sin = &sin.view();
  args.y = &y.view();
  if (!kernel::ran_with(k.rope, args, {&rgm_rope::x}, {&rgm_rope::y})) return composed();
  if (would_record({&x})) record("rope", gradients::rope, {&x}, {&y}, {positions, cos, sin});
  return y;
}

}  // namespace rgm::ops
