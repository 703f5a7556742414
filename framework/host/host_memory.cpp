// host_memory.cpp - views of host memory that a plug-in handed over, copied from and to row-major bytes whatever their
// strides.
#include <cstring>

#include "host/tables.hpp"
#include "tensor/shape.hpp"

namespace rgm {
namespace {

// Calls `each` with the byte offset of every element, in row-major order.
template <class F>
void walk(const rgm_view& v, size_t size, F&& each) {
  const int64_t n = count_of(v);
  std::array<int64_t, 8> at{};
  int64_t offset = 0;
  for (int64_t i = 0; i < n; ++i) {
    each(offset * static_cast<int64_t>(size));
    for (int32_t axis = v.rank; axis-- > 0;) {
      const auto a = static_cast<size_t>(axis);
      offset += v.stride[a];
      if (++at[a] < v.shape[a]) break;
      offset -= v.stride[a] * v.shape[a];
      at[a] = 0;
    }
  }
}

}  // namespace

std::vector<std::byte> gather_bytes(const rgm_view& from) {
  const size_t size = bytes_of(from.dtype);
  std::vector<std::byte> out(static_cast<size_t>(count_of(from)) * size);
  const auto* data = static_cast<const std::byte*>(from.data);
  std::byte* to = out.data();
  walk(from, size, [&](int64_t offset) {
    std::memcpy(to, data + offset, size);
    to += size;
  });
  return out;
}

void scatter_bytes(const std::vector<std::byte>& bytes, const rgm_view& to) {
  const size_t size = bytes_of(to.dtype);
  auto* data = static_cast<std::byte*>(to.data);
  const std::byte* from = bytes.data();
  walk(to, size, [&](int64_t offset) {
    std::memcpy(data + offset, from, size);
    from += size;
  });
}

}  // namespace rgm
