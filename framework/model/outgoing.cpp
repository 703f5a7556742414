// outgoing.cpp - what lies without gaps is fetched in pieces; the rest, small as it is, is put in order first.
#include "model/outgoing.hpp"

#include "tensor/device.hpp"
#include "tensor/shape.hpp"

namespace rgm {
namespace {
constexpr size_t piece = size_t{4} << 20;

void fetch(const Tensor& x, size_t bytes, const OutgoingTensor::Put& put) {
  std::vector<std::byte> room(std::min(bytes, piece));
  for (size_t at = 0; at < bytes; at += piece) {
    const size_t n = std::min(piece, bytes - at);
    current_device().download(room.data(), static_cast<const char*>(x.view().data) + at, n);
    put({room.data(), n});
  }
}
}  // namespace

OutgoingTensor outgoing(std::string name, const Tensor& x) {
  const bool real = is_float(x.dtype());
  const rgm_dtype type = real ? RGM_F32 : RGM_I32;
  const Shape shape = x.shape();
  return {std::move(name), type, {shape.begin(), shape.end()}, [x, real, type](const OutgoingTensor::Put& put) {
            const auto give = [&put](const auto& values) { put(std::as_bytes(std::span(values))); };
            if (x.dtype() == type && is_contiguous(x.view()))
              fetch(x, static_cast<size_t>(x.shape().count()) * 4, put);
            else if (real)
              give(to_host<float>(x));
            else
              give(to_host<int32_t>(x));
          }};
}

}  // namespace rgm
