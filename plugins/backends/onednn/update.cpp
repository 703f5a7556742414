// update.cpp - AdamW and the sum of squares over many tensors in one go: all are cut into blocks of one size, and the
// blocks, not the tensors, are shared out, so that neither small nor large ones leave a thread idle.
#include <cmath>
#include <vector>

#include "kernels.hpp"
#include "types.hpp"

namespace regimen::onednn {
namespace {
struct Block {
  uint32_t item;
  int64_t begin, end;
};
thread_local std::vector<Block> blocks;  // keeps its memory

template <class Count>
void cut(uint32_t n, Count&& size) {
  blocks.clear();
  for (uint32_t i = 0; i < n; ++i)
    for (int64_t begin = 0, all = size(i); begin < all; begin += kGrain)
      blocks.push_back({i, begin, std::min(begin + kGrain, all)});
}

void flat(const rgm_view& v, const char* what, rgm_dtype dtype = RGM_F32) {
  if (v.dtype != dtype || !is_contiguous(v))
    unsupported(std::string("onednn: wanted ") + (dtype == RGM_F32 ? "float32" : "bfloat16") +
                " without gaps: " + what);
}
}  // namespace

rgm_status adamw(rgm_queue* q, const rgm_view* hyper, uint32_t n, const rgm_adamw* const* items) {
  return kernel(q, [&] {
    for (uint32_t i = 0; i < n; ++i) {
      const rgm_adamw& a = *items[i];
      accept_features(a.features, RGM_ADAMW_NARROW, "adamw");
      const rgm_dtype moments = a.features & RGM_ADAMW_NARROW ? RGM_BF16 : RGM_F32;
      flat(*a.g, "g"), flat(*a.p, "p"), flat(*a.m, "m", moments), flat(*a.v, "v", moments);
      require(same_shape(*a.g, *a.p) && same_shape(*a.m, *a.p) && same_shape(*a.v, *a.p),
              "adamw: gradient, parameter and moments differ in shape");
      if (a.copy && (!is_contiguous(*a.copy) || (a.copy->dtype != RGM_BF16 && a.copy->dtype != RGM_F16)))
        unsupported("onednn: adamw copies to 16-bit floats without gaps");
      require(!a.copy || same_shape(*a.copy, *a.p), "adamw: copy and parameter differ in shape");
    }
    require(hyper->dtype == RGM_F32 && hyper->rank == 1 && hyper->shape[0] == 8, "adamw: hyper has eight F32");
    float h[8];
    for (int64_t i = 0; i < 8; ++i) h[i] = data<float>(*hyper)[i * hyper->stride[0]];
    if (std::isnan(h[7])) return;
    const AdamW values{h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]};
    cut(n, [&](uint32_t i) { return count(*items[i]->p); });
    const std::vector<Block>& all = blocks;
    parallel(threads(q), static_cast<int64_t>(all.size()), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t k = begin; k < end; ++k) {
        const Block& block = all[static_cast<size_t>(k)];
        const rgm_adamw& a = *items[block.item];
        const int64_t at = block.begin, size = block.end - at;
        float* p = data<float>(*a.p) + at;
        const float* g = data<float>(*a.g) + at;
        if (a.features & RGM_ADAMW_NARROW)
          vector(q).adamw_narrow(values, g, p, data<uint16_t>(*a.m) + at, data<uint16_t>(*a.v) + at,
                                 static_cast<uint32_t>(*data<int32_t>(*a.draw)) + static_cast<uint32_t>(at), size);
        else
          vector(q).adamw(values, g, p, data<float>(*a.m) + at, data<float>(*a.v) + at, size);
        if (!a.copy) continue;
        if (a.copy->dtype == RGM_BF16)
          for (int64_t i = 0; i < size; ++i) data<BFloat16>(*a.copy)[at + i] = BFloat16(p[i]);
        else
          for (int64_t i = 0; i < size; ++i) data<Float16>(*a.copy)[at + i] = Float16(p[i]);
      }
    });
  });
}

// One float64 a block, added in the order of the blocks: the same bits with any number of threads.
rgm_status sum_of_squares(rgm_queue* q, uint32_t n, const rgm_view* const* xs, const rgm_view* y) {
  return kernel(q, [&] {
    for (uint32_t i = 0; i < n; ++i) flat(*xs[i], "sum_of_squares");
    cut(n, [&](uint32_t i) { return count(*xs[i]); });
    const std::vector<Block>& all = blocks;
    auto* sums = static_cast<double*>(q->scratch.bytes(Scratch::kPartials, all.size() * sizeof(double)));
    parallel(threads(q), static_cast<int64_t>(all.size()), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t k = begin; k < end; ++k) {
        const Block& block = all[static_cast<size_t>(k)];
        sums[k] = vector(q).squares(data<float>(*xs[block.item]) + block.begin, block.end - block.begin);
      }
    });
    double sum = 0;
    for (size_t k = 0; k < all.size(); ++k) sum += sums[k];
    *data<float>(*y) = static_cast<float>(sum);
  });
}

}  // namespace regimen::onednn
