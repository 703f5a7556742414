// norm.cuh - what the kernels of norms are given, and the ones that keep a row in registers.
#pragma once
#include "views.cuh"

namespace regimen::cudnn {

template <class T>
struct Rows2 {
  T* data;
  int64_t row, column;
  __device__ T& at(int64_t i, int64_t c) const { return data[i * row + c * column]; }
};
template <class T>
Rows2<T> rows2(const rgm_view* v) {
  return v ? Rows2<T>{data<T>(*v), v->stride[0], v->rank > 1 ? v->stride[1] : 0} : Rows2<T>{};
}

template <class X, class Y>
struct Norm {
  Rows2<X> x;
  Rows2<const X> residual;
  Rows2<const float> w, b;
  Rows2<Y> y;
  Rows2<float> mean, rstd;
  int64_t M, C;
  float epsilon;
  bool centred;
};

template <class X, class DY>
struct NormGrad {
  Rows2<const X> x;
  Rows2<const float> w, mean, rstd;
  Rows2<const DY> dy;
  Rows2<X> dx;
  int64_t M, C;
  bool centred, wants_dw, wants_db, adds;
  float* partials;  // (blocks, 2, C)
};

// False where the rows are too long, have gaps or are not aligned: nothing was done.
template <class X, class Y>
bool norm_rows(rgm_queue* q, const Norm<X, Y>& norm);
// Leaves `blocks` lines of partial sums.
template <class X, class DY>
bool norm_grad_rows(rgm_queue* q, const NormGrad<X, DY>& norm, unsigned blocks);

}  // namespace regimen::cudnn
