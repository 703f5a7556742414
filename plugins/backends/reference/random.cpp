// random.cpp - draws from Philox: uniform, normal (Box and Muller 1958), raw words. An element depends on its
// row-major position and the key alone, never on strides.
#include <numbers>

#include "kernels.hpp"
#include "philox.hpp"

namespace regimen::reference {
namespace {

// Words 2j and 2j + 1 give two normals: element 2j takes the cosine, 2j + 1 the sine.
double normal(Philox& philox, uint64_t element) {
  const uint64_t even = element & ~uint64_t{1};
  const double u = ((philox.word(even) >> 8) + 1) * 0x1p-24, a = 2 * std::numbers::pi * philox.uniform(even + 1);
  return std::sqrt(-2 * std::log(u)) * (element == even ? std::cos(a) : std::sin(a));
}

}  // namespace

rgm_status random(rgm_queue*, const rgm_view* key, int32_t distribution, const rgm_view* y) {
  return guard([&] {
    if (distribution < RGM_UNIFORM || distribution > RGM_BITS)
      unsupported("random: distribution " + std::to_string(distribution));
    require(distribution != RGM_BITS || y->dtype == RGM_I32, "random: raw words are I32");
    Philox philox(*key);
    uint64_t element = 0;
    Rows<1>({y}).each([&](auto at, int64_t n, auto step) {
      for (int64_t i = 0; i < n; ++i, ++element) {
        const int64_t to = at[0] + i * step[0];
        if (distribution == RGM_BITS)
          data<uint32_t>(*y)[to] = philox.word(element);
        else
          put(*y, to, distribution == RGM_UNIFORM ? philox.uniform(element) : normal(philox, element));
      }
    });
  });
}

}  // namespace regimen::reference
