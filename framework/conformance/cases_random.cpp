// cases_random.cpp - random: the words have to be the same on every backend, so bits and uniform are exact.
#include <fmt/format.h>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

void random(Trial& t) {
  const int32_t distribution = t.index / 2 % 3 + 1;
  t.say(fmt::format("distribution {}", distribution));
  // Every third case starts at a counter whose low words are full, so that the carry runs through.
  const bool carry = t.index % 3 == 0;
  int64_t word = 0;
  const Arg key = t.dense(
      {6},
      [&] {
        const bool full = carry && word >= 2 && word < 4;
        ++word;
        return full ? -1.0 : static_cast<double>(t.pick(INT32_MIN, INT32_MAX));
      },
      RGM_I32);
  const Arg y = t.out(t.shape(0, 4), distribution == RGM_BITS ? RGM_I32 : RGM_F32);
  t.exact = distribution != RGM_NORMAL;
  t.run(&rgm_kernels::random, [=](auto f, rgm_queue* q, const Views& v) { return f(q, v(key), distribution, v(y)); });
}

}  // namespace

Kernels random_cases() { return {{"random", true, 24, random}}; }

}  // namespace rgm::conformance
