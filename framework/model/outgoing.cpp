// outgoing.cpp - fetched in pieces: of what lies without gaps any, of the rest rows, which are put in order first.
#include "model/outgoing.hpp"

#include "tensor/device.hpp"
#include "tensor/views.hpp"

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

template <class T>
void fetch_rows(const Tensor& x, const OutgoingTensor::Put& put) {
  const auto give = [&put](const std::vector<T>& values) { put(std::as_bytes(std::span(values))); };
  if (x.shape().rank() == 0) return give(to_host<T>(x));
  const int64_t rows = x.shape()[0], row = std::max<int64_t>(1, x.shape().count() / std::max<int64_t>(rows, 1));
  const int64_t at_once = std::max<int64_t>(1, static_cast<int64_t>(piece / sizeof(T)) / row);
  for (int64_t i = 0; i < rows; i += at_once)
    give(to_host<T>(alias(x, views::sliced(x.view(), 0, i, std::min(rows, i + at_once)))));
}
}  // namespace

OutgoingTensor outgoing(std::string name, const Tensor& x) {
  const bool real = is_float(x.dtype());
  const bool narrow = x.dtype() == RGM_BF16 && is_contiguous(x.view());
  const rgm_dtype type = narrow ? RGM_BF16 : real ? RGM_F32 : RGM_I32;
  const Shape shape = x.shape();
  return {std::move(name), type, {shape.begin(), shape.end()}, [x, real, type](const OutgoingTensor::Put& put) {
            if (x.dtype() == type && is_contiguous(x.view()))
              fetch(x, static_cast<size_t>(x.shape().count()) * bytes_of(type), put);
            else if (real)
              fetch_rows<float>(x, put);
            else
              fetch_rows<int32_t>(x, put);
          }};
}

}  // namespace rgm
