// quantized.cpp - rows are quantized on the host, when a model is opened, and a single NaN stands where their values
// were.
#include "tensor/quantized.hpp"

#include <array>
#include <cmath>

#include "tensor/composed.hpp"
#include "tensor/dry_device.hpp"
#include "tensor/support.hpp"

namespace rgm {
namespace {

constexpr int64_t block = 64;
constexpr std::array<float, 16> levels = {RGM_NF4_LEVELS};

// The nearest level of x in -1 to 1, the lower one where both are as near. The borders between levels are more than a
// cell apart, so that at most one lies in each.
class Nearest {
 public:
  Nearest() {
    for (size_t cell = 0; cell < cells; ++cell) {
      const float low = float(cell) * 2 / cells - 1;
      size_t code = 0;
      while (code < 15 && border(code) < low) ++code;
      first_[cell] = static_cast<uint8_t>(code);
      border_[cell] = code < 15 ? border(code) : 2;
    }
  }
  uint8_t operator()(float x) const {
    const auto cell = std::min(static_cast<size_t>((x + 1) * 0.5F * cells), cells - 1);
    return static_cast<uint8_t>(first_[cell] + (x > border_[cell]));
  }

 private:
  static constexpr size_t cells = 128;
  static float border(size_t below) { return (levels[below] + levels[below + 1]) / 2; }
  std::array<uint8_t, cells> first_{};
  std::array<float, cells> border_{};
};

float quantize(const float* x, uint8_t* codes) {
  static const Nearest nearest;
  float scale = 0;
  for (int64_t i = 0; i < block; ++i)
    if (const float size = std::abs(x[i]); size > scale || std::isnan(size)) scale = size;  // NaN stays
  if (!(scale > 0) || !std::isfinite(scale)) {  // all are 0, or nothing can be said of them but that
    std::fill_n(codes, block / 2, scale == 0 ? uint8_t{0x77} : uint8_t{0xFF});
    return scale;
  }
  for (int64_t i = 0; i < block; i += 2)
    codes[i / 2] = static_cast<uint8_t>(nearest(x[i] / scale) << 4 | nearest(x[i + 1] / scale));
  return scale;
}

// By the threads of the device, rows by rows.
void quantize_rows(const std::vector<float>& x, int64_t rows, std::vector<uint8_t>& codes, std::vector<float>& scales) {
  const int64_t blocks = rows ? std::ssize(scales) / rows : 0;
  const auto some = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * blocks; i < end * blocks; ++i)
      scales[static_cast<size_t>(i)] = quantize(x.data() + i * block, codes.data() + i * (block / 2));
  };
  const Device& device = current_device();
  if (!RGM_HAS(&device.backend(), parallel_for)) return some(0, rows);
  using Some = decltype(some);
  const auto body = [](void* user, int64_t begin, int64_t end) -> rgm_status {
    (*static_cast<const Some*>(user))(begin, end);
    return RGM_OK;
  };
  current_device().check(device.backend().parallel_for(device.handle(), rows, 16,
                                                       const_cast<void*>(static_cast<const void*>(&some)), body));
}

Tensor standing_for(std::shared_ptr<const QuantizedWeight> weight) {
  const Shape shape = weight->shape;
  const Tensor nothing = ops::full({}, std::nan(""));
  nothing.get()->storage->quantized = std::move(weight);
  return alias(nothing, broadcast_to(nothing.view(), shape));
}

const QuantizedWeight& weight_of(const Tensor& w) {
  const QuantizedWeight& weight = *w.get()->storage->quantized;
  if (w.shape() != weight.shape) throw Error(RGM_INTERNAL, "a part of a quantized weight was asked for");
  return weight;
}

}  // namespace

bool can_quantize(const Shape& shape) { return shape.rank() == 2 && shape[1] % block == 0; }

Tensor quantized(const Tensor& w) {
  require(can_quantize(w.shape()) && !w.needs_gradient(),
          "a weight of shape {} cannot be quantized: frozen matrices can, whose rows are multiples of {}",
          w.shape().text(), block);
  const int64_t out = w.size(0), in = w.size(1);
  auto weight = std::make_shared<QuantizedWeight>();
  weight->shape = w.shape();
  if (is_dry(current_device())) {
    weight->codes = empty({out, in / 2}, RGM_U8), weight->scales = empty({out, in / block});
    return standing_for(std::move(weight));
  }
  std::vector<uint8_t> codes(static_cast<size_t>(out * in / 2));
  std::vector<float> scales(static_cast<size_t>(out * in / block));
  quantize_rows(to_host(w), out, codes, scales);
  weight->codes = from_host(codes.data(), {out, in / 2}, RGM_U8);
  weight->scales = from_host(std::span<const float>(scales), {out, in / block});
  return standing_for(std::move(weight));
}

bool is_quantized(const Tensor& w) { return w && w.get()->storage->quantized; }
const QuantizedWeight* quantized_form(const Tensor& w) { return is_quantized(w) ? &weight_of(w) : nullptr; }

Tensor quantized_rows(const Tensor& w, int64_t begin, int64_t end) {
  const QuantizedWeight& whole = weight_of(w);
  auto part = std::make_shared<QuantizedWeight>();
  part->codes = alias(whole.codes, views::sliced(whole.codes.view(), 0, begin, end));
  part->scales = alias(whole.scales, views::sliced(whole.scales.view(), 0, begin, end));
  part->shape = {end - begin, whole.shape[1]};
  return standing_for(std::move(part));
}

Tensor readable(const Tensor& w, rgm_dtype dtype) {
  if (!is_quantized(w)) return w;
  const NoGradient no_gradient;
  const QuantizedWeight& weight = weight_of(w);
  const rgm_kernels& k = kernel::table();
  Tensor y = empty(weight.shape, dtype);
  const rgm_dequantize args{sizeof args, 0, &weight.codes.view(), &weight.scales.view(), &y.view()};
  if (RGM_HAS(&k, dequantize) && kernel::ran(k.dequantize(kernel::queue(), &args))) return y;
  return ops::cast(composed::dequantize(weight.codes, weight.scales), dtype);
}

uint64_t held_bytes(const Tensor& t) {
  if (!t) return 0;
  if (is_quantized(t)) return held_bytes(weight_of(t).codes) + held_bytes(weight_of(t).scales);
  return static_cast<uint64_t>(t.count()) * bytes_of(t.dtype());
}

}  // namespace rgm
