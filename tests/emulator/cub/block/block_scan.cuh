// block_scan.cuh - CUB's running sum over a block, in the order of its threads.
#pragma once
#include "emulator.hpp"

namespace cub {
template <class T, int threads>
class BlockScan {
 public:
  struct TempStorage {
    T values[threads];
  };
  explicit BlockScan(TempStorage& storage) : values_(storage.values) {}
  void InclusiveSum(T x, T& sum, T& all) {
    values_[emulator::here.number] = x;
    __syncthreads();
    T so_far = 0;
    for (unsigned i = 0; i < threads; ++i) {
      so_far += values_[i];
      if (i == emulator::here.number) sum = so_far;
    }
    all = so_far;
  }

 private:
  T* values_;
};
}  // namespace cub
