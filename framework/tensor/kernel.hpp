// kernel.hpp - the kernels of the current device, on its queue: the ten that every backend has, with their failures
// turned into exceptions, and the question whether an optional one ran.
#pragma once
#include "tensor/device.hpp"

namespace rgm::kernel {

inline const rgm_kernels& table() { return current_device().kernels(); }
inline rgm_queue* queue() { return current_device().queue(); }

// False: the backend leaves it to the host to compose.
[[nodiscard]] inline bool ran(rgm_status status) {
  if (status == RGM_UNSUPPORTED) return false;
  check_status(status);
  return true;
}

inline void fill(double value, const rgm_view& y) { check_status(table().fill(queue(), value, &y)); }
inline void copy(const rgm_view& x, const rgm_view& y) { check_status(table().copy(queue(), &x, &y)); }
inline void unary(int32_t op, const rgm_view& x, const rgm_view& y) {
  check_status(table().unary(queue(), op, &x, &y));
}
inline void binary(int32_t op, const rgm_view& a, const rgm_view& b, const rgm_view& y) {
  check_status(table().binary(queue(), op, &a, &b, &y));
}
inline void select(const rgm_view& c, const rgm_view& a, const rgm_view& b, const rgm_view& y) {
  check_status(table().select(queue(), &c, &a, &b, &y));
}
inline void reduce(int32_t op, uint32_t axes, const rgm_view& x, const rgm_view& y) {
  check_status(table().reduce(queue(), op, axes, &x, &y));
}
inline void matmul(double alpha, const rgm_view& a, const rgm_view& b, double beta, const rgm_view& y) {
  check_status(table().matmul(queue(), alpha, &a, &b, beta, &y));
}
inline void gather(int32_t axis, const rgm_view& x, const rgm_view& index, const rgm_view& y) {
  check_status(table().gather(queue(), axis, &x, &index, &y));
}
inline void scatter_add(int32_t axis, const rgm_view& index, const rgm_view& x, const rgm_view& y) {
  check_status(table().scatter_add(queue(), axis, &index, &x, &y));
}
inline void random(const rgm_view& key, int32_t distribution, const rgm_view& y) {
  check_status(table().random(queue(), &key, distribution, &y));
}

}  // namespace rgm::kernel
