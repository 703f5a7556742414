// cases_index.cpp - gather and scatter_add.
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

}  // namespace

Kernels index_cases() { return {{"gather", true, 28, gather}, {"scatter_add", true, 32, scatter_add}}; }

}  // namespace rgm::conformance
