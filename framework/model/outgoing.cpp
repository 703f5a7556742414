// outgoing.cpp - fetched in pieces: of what lies without gaps any, of the rest rows, which are put in order first.
#include "model/outgoing.hpp"

#include <algorithm>

#include "tensor/device.hpp"
#include "tensor/ops.hpp"
#include "tensor/quantized.hpp"
#include "tensor/views.hpp"

namespace rgm {
namespace {
constexpr size_t piece = size_t{4} << 20;

void fetch(const Tensor& x, const OutgoingTensor::Put& put) {
  const size_t bytes = static_cast<size_t>(x.count()) * bytes_of(x.dtype());
  std::vector<std::byte> room(std::min(bytes, piece));
  for (size_t at = 0; at < bytes; at += piece) {
    const size_t n = std::min(piece, bytes - at);
    current_device().download(room.data(), static_cast<const char*>(x.view().data) + at, n);
    put({room.data(), n});
  }
}

// Of a quantized weight a piece becomes values at a time.
Tensor rows_of(const Tensor& x, int64_t begin, int64_t end) {
  if (is_quantized(x)) return readable(quantized_rows(x, begin, end));
  return ops::contiguous(alias(x, views::sliced(x.view(), 0, begin, end)));
}

void fetch_rows(const Tensor& x, const OutgoingTensor::Put& put) {
  const int64_t rows = x.size(0), row = std::max<int64_t>(1, x.count() / std::max<int64_t>(rows, 1));
  const int64_t at_once = std::max<int64_t>(1, static_cast<int64_t>(piece / bytes_of(x.dtype())) / row);
  for (int64_t i = 0; i < rows; i += at_once) fetch(rows_of(x, i, std::min(rows, i + at_once)), put);
}
}  // namespace

OutgoingTensor outgoing(std::string name, const Tensor& x) {
  const Shape shape = x.shape();
  return {std::move(name), x.dtype(), {shape.begin(), shape.end()}, [x](const OutgoingTensor::Put& put) {
            is_contiguous(x.view()) ? fetch(x, put) : fetch_rows(x, put);
          }};
}

}  // namespace rgm
