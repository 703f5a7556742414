// random.cpp - numbers that depend on key and place alone, so that threads can start anywhere in the stream.
#include "kernels.hpp"

namespace regimen::onednn {
rgm_status random(rgm_queue* q, const rgm_view* key, int32_t distribution, const rgm_view* y) {
  return kernel(q, [&] {
    if (distribution < RGM_UNIFORM || distribution > RGM_BITS) unsupported("onednn: unknown distribution");
    if (y->dtype != (distribution == RGM_BITS ? RGM_I32 : RGM_F32)) unsupported("onednn: random of this element type");
    require(key->dtype == RGM_I32 && key->rank == 1 && key->shape[0] == 6, "random: the key has six I32");
    int32_t words[6];
    for (int i = 0; i < 6; ++i) words[i] = data<int32_t>(*key)[i * key->stride[0]];
    const Rows<1> rows({y});
    const int64_t length = std::max<int64_t>(rows.length(), 1);
    parallel(threads(q), rows.size() * length, kGrain / 4, [&](int64_t begin, int64_t end, int) {
      int64_t first = begin / length * length;  // number of the row's first element
      rows.each(begin / length, (end + length - 1) / length, [&](const auto& at, int64_t n, const auto& step) {
        const int64_t lo = std::max<int64_t>(begin - first, 0), hi = std::min(end - first, n);
        uint32_t* row = data<uint32_t>(*y) + at[0];
        if (step[0] == 1) {
          vector(q).random(words, distribution, first + lo, row + lo, hi - lo);
        } else {
          uint32_t buffer[256];
          for (int64_t i = lo; i < hi; i += 256) {
            const int64_t part = std::min<int64_t>(256, hi - i);
            vector(q).random(words, distribution, first + i, buffer, part);
            for (int64_t k = 0; k < part; ++k) row[(i + k) * step[0]] = buffer[k];
          }
        }
        first += n;
      });
    });
  });
}

}  // namespace regimen::onednn
