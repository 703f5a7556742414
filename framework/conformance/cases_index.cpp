// cases_index.cpp - gather and scatter_add, and indices outside of the axis, which both have to find.
#include <fmt/format.h>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

struct Along {
  Shape whole, listed;  // the shape indexed into, and the one with a place for every index
  int32_t axis;
  int64_t n;
};

Along along(Trial& t) {
  Along a;
  a.whole = t.shape(1, 3);
  a.axis = static_cast<int32_t>(t.pick(0, static_cast<int64_t>(a.whole.size()) - 1));
  a.n = t.index % 8 == 7 ? 0 : t.index >= 24 ? t.pick(100, 700) : t.size();
  a.listed = a.whole;
  a.listed[static_cast<size_t>(a.axis)] = a.n;
  t.say(fmt::format("axis {}", a.axis));
  return a;
}

void gather(Trial& t) {
  constexpr rgm_dtype dtypes[] = {RGM_F32, RGM_F16, RGM_BF16, RGM_I32, RGM_I64, RGM_U8, RGM_BOOL};
  const rgm_dtype dtype = dtypes[t.index / 2 % 7];
  const Along a = along(t);
  const Arg x = t.in(a.whole, dtype == RGM_BOOL ? t.integers(0, 1) : t.integers(0, 200), dtype);
  const Arg index = t.in({a.n}, t.integers(0, a.whole[static_cast<size_t>(a.axis)] - 1), RGM_I32);
  const Arg y = t.out(a.listed, dtype);
  t.exact = true;
  t.run(&rgm_kernels::gather,
        [=, axis = a.axis](auto f, rgm_queue* q, const Views& v) { return f(q, axis, v(x), v(index), v(y)); });
}

void scatter_add(Trial& t) {  // few places and many indices, so that they meet
  const Along a = along(t);
  const Arg index = t.in({a.n}, t.integers(0, a.whole[static_cast<size_t>(a.axis)] - 1), RGM_I32);
  const Arg x = t.in(a.listed, t.normals()), y = t.inout(a.whole, t.normals());
  t.run(&rgm_kernels::scatter_add,
        [=, axis = a.axis](auto f, rgm_queue* q, const Views& v) { return f(q, axis, v(index), v(x), v(y)); });
}

// The last cases have one index that is outside. Views leave out the first and the last place of their arrays' axis, so
// that a kernel that does not look meets these and does no harm.
constexpr int gather_cases = 28, scatter_add_cases = 32, outside_cases = 8;
bool is_outside(const Trial& t, int cases) { return t.index >= cases && t.index < cases + outside_cases; }

Along along_outside(Trial& t, int which) {
  Along a;
  a.whole = t.shape(1, 3);
  a.axis = static_cast<int32_t>(t.pick(0, static_cast<int64_t>(a.whole.size()) - 1));
  a.n = which & 2 ? t.pick(300, 700) : t.pick(1, 40);
  a.listed = a.whole;
  a.listed[static_cast<size_t>(a.axis)] = a.n;
  a.whole[static_cast<size_t>(a.axis)] += 2;
  t.is_outside = true;
  t.say(fmt::format("axis {}, an index outside of it", a.axis));
  return a;
}
Arg index_outside(Trial& t, const Along& a, int which) {
  const int64_t size = a.whole[static_cast<size_t>(a.axis)] - 2, place = t.pick(0, a.n - 1);
  const double wrong = which & 4 ? -1 : static_cast<double>(size);
  return t.dense(
      {a.n},
      [&t, size, place, wrong, at = int64_t{0}]() mutable {
        return at++ == place ? wrong : static_cast<double>(t.pick(0, size - 1));
      },
      RGM_I32);
}
rgm_view without_ends(rgm_view v, int32_t axis) {
  v.data = static_cast<std::byte*>(v.data) + v.stride[axis] * static_cast<int64_t>(size_of(v.dtype));
  v.shape[axis] -= 2;
  return v;
}

void gather_outside(Trial& t) {
  const int which = t.index - gather_cases;
  const Along a = along_outside(t, which);
  const Arg x = t.in(a.whole, t.normals()), index = index_outside(t, a, which), y = t.out(a.listed);
  t.run(&rgm_kernels::gather, [=, axis = a.axis](auto f, rgm_queue* q, const Views& v) {
    const rgm_view inside = without_ends(*v(x), axis);
    return f(q, axis, &inside, v(index), v(y));
  });
}

void scatter_add_outside(Trial& t) {
  const int which = t.index - scatter_add_cases;
  const Along a = along_outside(t, which);
  const Arg index = index_outside(t, a, which), x = t.in(a.listed, t.normals()), y = t.inout(a.whole, t.normals());
  t.run(&rgm_kernels::scatter_add, [=, axis = a.axis](auto f, rgm_queue* q, const Views& v) {
    const rgm_view inside = without_ends(*v(y), axis);
    return f(q, axis, v(index), v(x), &inside);
  });
}

}  // namespace

Kernels index_cases() {
  return {
      {"gather", true, gather_cases + outside_cases,
       [](Trial& t) { is_outside(t, gather_cases) ? gather_outside(t) : gather(t); }},
      {"scatter_add", true, scatter_add_cases + outside_cases,
       [](Trial& t) { is_outside(t, scatter_add_cases) ? scatter_add_outside(t) : scatter_add(t); }},
  };
}

}  // namespace rgm::conformance
