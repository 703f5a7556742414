// composed_layers.cpp - linear layers, rotary positions and the optimizer's step from the required kernels.
#include "tensor/composed.hpp"
#include "tensor/support.hpp"

namespace rgm::composed {

using namespace ops;

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, int32_t activation, const Tensor& residual) {
  Tensor y = matmul(x.rank() == 1 ? reshape(x, {1, x.size(0)}) : x, false, w, true, 1, b);
  if (x.rank() == 1) y = reshape(y, {w.size(0)});
  if (activation) y = unary(activation, y);
  return residual ? y + residual : y;
}

// Each byte is looked up as the two elements that it is.
Tensor dequantize(const Tensor& codes, const Tensor& scales) {
  constexpr float levels[] = {RGM_NF4_LEVELS};
  std::vector<float> pairs;
  for (size_t byte = 0; byte < 256; ++byte) pairs.push_back(levels[byte >> 4]), pairs.push_back(levels[byte & 15]);
  const int64_t out = codes.size(0), blocks = scales.size(1);
  const Tensor index = reshape(cast(codes, RGM_I32), {codes.count()});
  const Tensor unscaled = gather(from_host(std::span<const float>(pairs), {256, 2}), 0, index);
  const Tensor y = reshape(unscaled, {out, blocks, codes.size(1) * 2 / std::max<int64_t>(blocks, 1)});
  return reshape(y * reshape(scales, {out, blocks, 1}), {out, codes.size(1) * 2});
}

Tensor rope(const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin) {
  const int64_t B = x.size(0), T = x.size(1), half = cos.size(1);
  const Tensor flat = reshape(positions, {B * T});
  const Tensor c = reshape(gather(cos, 0, flat), {B, T, 1, half}), s = reshape(gather(sin, 0, flat), {B, T, 1, half});
  const Tensor first = slice(x, 3, 0, half), second = slice(x, 3, half, 2 * half);
  std::vector<Tensor> parts{first * c - second * s, second * c + first * s};
  if (2 * half < x.size(3)) parts.push_back(slice(x, 3, 2 * half, x.size(3)));
  return concat(parts, 3);
}

Tensor sum_of_squares(std::span<const Tensor> xs) {
  Tensor total = full({}, 0);
  for (const Tensor& x : xs) total = total + sum(unary(RGM_SQUARE, x));
  return total;
}

// hyper: rate, beta1, beta2, epsilon, decay, 1 - beta1^t, 1 - beta2^t, factor of g
void adamw(const Tensor& hyper, const AdamWItem& item) {
  const auto h = [&](int64_t i) { return reshape(slice(hyper, 0, i, i + 1), {}); };
  const Tensor one = full({}, 1), g = item.gradient * h(7), &p = item.parameter;
  const Tensor is_taken = binary(RGM_EQUAL, h(7), h(7));  // not where the factor is NaN
  const auto take = [&](const Tensor& to, const Tensor& value) { assign(to, select(is_taken, value, to)); };
  take(item.m, item.m * h(1) + g * (one - h(1)));
  take(item.v, item.v * h(2) + unary(RGM_SQUARE, g) * (one - h(2)));
  const Tensor step = (item.m / h(5)) / (unary(RGM_SQRT, item.v / h(6)) + h(3));
  take(p, p - p * (h(0) * h(4)) - step * h(0));
  if (item.copy) kernel::copy(p.view(), item.copy.view());
}

}  // namespace rgm::composed
