// trial.cpp - draws of a case, and the layouts of its arguments: dense, axes in another order, with gaps, repeated.
#include "trial.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/philox.hpp"

namespace rgm::conformance {
namespace {

const char* name_of(rgm_dtype dtype) {
  constexpr const char* names[] = {"?", "f32", "f16", "bf16", "i32", "i64", "u8", "bool"};
  return names[dtype];
}

}  // namespace

Views::Views(const std::vector<Array>& arrays, std::span<std::byte* const> memory) {
  for (size_t i = 0; i < arrays.size(); ++i) {
    views_.push_back(arrays[i].view);
    views_.back().data = memory[i] + static_cast<size_t>(arrays[i].offset) * size_of(arrays[i].view.dtype);
  }
}

Trial::Trial(uint64_t seed, std::string_view kernel, int number) : index(number) {
  uint64_t hash = 0;
  for (char c : kernel) hash = hash * 131 + static_cast<unsigned char>(c);
  seed_ = mix(seed, hash, static_cast<uint32_t>(number));
}

double Trial::uniform(double low, double high) { return low + (high - low) * unit(mix(seed_, draws_++)); }
int64_t Trial::pick(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(mix(seed_, draws_++) % static_cast<uint64_t>(high - low + 1));
}
double Trial::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform(0, 1)));
  return radius * std::cos(2 * std::numbers::pi * uniform(0, 1));
}

Shape Trial::shape(int low_rank, int high_rank) {
  Shape s(static_cast<size_t>(pick(low_rank, high_rank)));
  for (int64_t& n : s) n = s.size() > 3 ? one_of({1, 2, 3, 5, 7}) : size();
  if (s.size() == 1 && chance(0.5)) s[0] = one_of({1000, 1023, 4097});
  return s;
}

uint32_t Trial::features(std::initializer_list<uint32_t> bits) {
  uint32_t chosen = 0;
  const int n = static_cast<int>(bits.size());
  constexpr int first = 4;
  if (index >= first && index < first + 2 * n)  // each twice: once dense, once with strides
    chosen = bits.begin()[(index - first) / 2];
  else if (index >= first + 2 * n)
    for (uint32_t bit : bits) chosen |= index < first + 2 + 2 * n || chance(0.5) ? bit : 0;
  say(fmt::format("features {:#x}", chosen));
  return chosen;
}

Layout Trial::layout(const Shape& shape, bool repeats) {
  Layout l;
  if (index % 2 == 0 || all_dense) return l;
  if (chance(0.4)) {
    l.order.resize(shape.size());
    std::iota(l.order.begin(), l.order.end(), 0);
    for (size_t i = shape.size(); i > 1; --i) std::swap(l.order[i - 1], l.order[static_cast<size_t>(pick(0, i - 1))]);
  }
  if (chance(0.3)) {
    l.gap = pick(1, 2);
    l.offset = pick(0, 5);
  } else if (chance(0.5)) {  // a part of wider rows, often in pieces of whole vectors
    const bool pieces = chance(0.7);
    l.behind = pieces ? one_of({8, 16}) : 1;
    l.offset = pieces ? 8 * pick(0, 2) : pick(0, 5);
  }
  for (size_t axis = 0; repeats && axis < shape.size(); ++axis) l.repeated |= chance(0.15) ? 1u << axis : 0;
  return l;
}

Arg Trial::add(Array array, const Fill* fill, bool written) {
  if (fill) each_element(array.view, [&](int64_t at) { array.set(at, (*fill)()); });
  array.written = written;
  dtypes |= 1u << array.view.dtype;
  const rgm_view& v = array.view;
  say(fmt::format("{}({})", name_of(v.dtype), fmt::join(std::span(v.shape, static_cast<size_t>(v.rank)), ", ")));
  if (index % 2) name += fmt::format("/({})", fmt::join(std::span(v.stride, static_cast<size_t>(v.rank)), ", "));
  arrays.push_back(std::move(array));
  return static_cast<Arg>(arrays.size()) - 1;
}
Arg Trial::in(const Shape& shape, const Fill& fill, rgm_dtype dtype) {
  return add(make_array(shape, dtype, layout(shape, true)), &fill, false);
}
Arg Trial::dense(const Shape& shape, const Fill& fill, rgm_dtype dtype) {
  return add(make_array(shape, dtype, {}), &fill, false);
}
Arg Trial::out(const Shape& shape, rgm_dtype dtype) {
  return add(make_array(shape, dtype, layout(shape, false)), nullptr, true);
}
Arg Trial::inout(const Shape& shape, const Fill& fill, rgm_dtype dtype) {
  return add(make_array(shape, dtype, layout(shape, false)), &fill, true);
}
Arg Trial::prepared(const Shape& shape, rgm_dtype dtype) {
  return add(make_array(shape, dtype, layout(shape, false)), nullptr, false);
}

rgm_dtype Trial::beside(rgm_dtype weight) {
  if (weight != RGM_BF16 || !chance(0.5)) return weight;
  optional = true;
  within = 1e-4;
  return RGM_F32;
}

void Trial::say(std::string_view text) {
  if (!name.empty()) name += ' ';
  name += text;
}

// float32: what sums of a few thousand terms of size 1 lose. Half floats: some units of their last place, 2^-8 and
// 2^-11, because a result near a tie may round the other way more than once.
double Trial::tolerance(size_t array) const {
  if (exact) return 0;
  if (within > 0) return within;
  uint32_t seen = 1u << arrays[array].view.dtype;
  for (const Array& a : arrays) seen |= a.written ? 0 : 1u << a.view.dtype;
  if (seen >> RGM_BF16 & 1) return 2e-2;
  if (seen >> RGM_F16 & 1) return 4e-3;
  return 1e-4;
}

}  // namespace rgm::conformance
