// kernel.hpp - the kernels of the current device, on its queue: the ten that every backend has, with their failures
// turned into exceptions, and the question whether an optional one ran. What a backend does not compute in bfloat16 is
// computed on float32 copies.
#pragma once
#include <array>
#include <type_traits>

#include "tensor/device.hpp"
#include "tensor/widened.hpp"

namespace rgm::kernel {

inline const rgm_kernels& table() { return current_device().kernels(); }
inline rgm_queue* queue() { return current_device().queue(); }

inline void check(rgm_status status) { current_device().check(status); }

// False: the backend leaves it to the host to compose.
[[nodiscard]] inline bool ran(rgm_status status) {
  if (status == RGM_UNSUPPORTED) return false;
  check(status);
  return true;
}

// call(views), the last of which is written. `adds`: and read.
template <size_t N, class Call>
[[nodiscard]] bool ran_on(std::array<const rgm_view*, N> views, Call&& call, bool adds = false) {
  if (ran(call(views))) return true;
  Widened wide;
  for (size_t i = 0; i + 1 < N; ++i) wide.read(views[i]);
  wide.write(views[N - 1], adds);
  if (!wide.any() || !ran(call(views))) return false;
  wide.finish();
  return true;
}

// The same of a kernel with a struct of arguments, by the views in it that may be bfloat16.
template <class Args>
using Views = std::type_identity_t<std::initializer_list<const rgm_view * Args::*>>;
template <class Args>
[[nodiscard]] bool ran_with(rgm_status (*call)(rgm_queue*, const Args*), Args args, Views<Args> read,
                            Views<Args> written) {
  if (ran(call(queue(), &args))) return true;
  Widened wide;
  for (const auto field : read) wide.read(args.*field);
  for (const auto field : written) wide.write(args.*field);
  if (!wide.any() || !ran(call(queue(), &args))) return false;
  wide.finish();
  return true;
}

template <size_t N, class Call>
void run_on(const std::array<const rgm_view*, N>& views, Call&& call, bool adds = false) {
  if (!ran_on(views, call, adds)) check(RGM_UNSUPPORTED);
}

inline void fill(double value, const rgm_view& y) { check(table().fill(queue(), value, &y)); }
inline void copy(const rgm_view& x, const rgm_view& y) { check(table().copy(queue(), &x, &y)); }
inline void unary(int32_t op, const rgm_view& x, const rgm_view& y) { check(table().unary(queue(), op, &x, &y)); }
inline void binary(int32_t op, const rgm_view& a, const rgm_view& b, const rgm_view& y) {
  run_on(std::array{&a, &b, &y}, [op](const auto& v) { return table().binary(queue(), op, v[0], v[1], v[2]); });
}
inline void select(const rgm_view& c, const rgm_view& a, const rgm_view& b, const rgm_view& y) {
  check(table().select(queue(), &c, &a, &b, &y));
}
// MEAN and LOGSUMEXP are the backend's to offer.
[[nodiscard]] inline bool offered_reduce(int32_t op, uint32_t axes, const rgm_view& x, const rgm_view& y) {
  return ran(table().reduce(queue(), op, axes, &x, &y));
}
inline void reduce(int32_t op, uint32_t axes, const rgm_view& x, const rgm_view& y) {
  run_on(std::array{&x, &y}, [=](const auto& v) { return table().reduce(queue(), op, axes, v[0], v[1]); });
}
inline void matmul(double alpha, const rgm_view& a, const rgm_view& b, double beta, const rgm_view& y) {
  const auto call = [=](const auto& v) { return table().matmul(queue(), alpha, v[0], v[1], beta, v[2]); };
  run_on(std::array{&a, &b, &y}, call, beta != 0);
}
inline void gather(int32_t axis, const rgm_view& x, const rgm_view& index, const rgm_view& y) {
  check(table().gather(queue(), axis, &x, &index, &y));
}
inline void scatter_add(int32_t axis, const rgm_view& index, const rgm_view& x, const rgm_view& y) {
  const auto call = [&, axis](const auto& v) { return table().scatter_add(queue(), axis, &index, v[0], v[1]); };
  run_on(std::array{&x, &y}, call, /*adds=*/true);
}
inline void random(const rgm_view& key, int32_t distribution, const rgm_view& y) {
  check(table().random(queue(), &key, distribution, &y));
}

}  // namespace rgm::kernel
