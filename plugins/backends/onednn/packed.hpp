// packed.hpp - what pack() makes of a weight, and the product with it.
#pragma once
#include "device.hpp"

struct RGM_PRIVATE rgm_packed {
  int64_t out = 0, in = 0;
  bool narrow = false;     // bfloat16
  void* panels = nullptr;  // owned: see VectorKernels::panel
  rgm_packed() = default;
  ~rgm_packed() { regimen::onednn::deallocate(panels); }
  rgm_packed(const rgm_packed&) = delete;
  rgm_packed& operator=(const rgm_packed&) = delete;
};

namespace regimen::onednn {
// y (M, out) = x (M, in) w^T, of float32 x
void multiply_packed(rgm_queue* q, const rgm_view& x, const rgm_packed& w, float* y, int64_t y_row);
}  // namespace regimen::onednn
