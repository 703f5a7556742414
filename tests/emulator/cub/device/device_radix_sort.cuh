// device_radix_sort.cuh - CUB's stable sort of pairs by key, by the standard library.
#pragma once
#include <algorithm>
#include <numeric>
#include <vector>

#include "emulator.hpp"

namespace cub {
struct DeviceRadixSort {
  template <class K, class V>
  static cudaError_t SortPairs(void* storage, size_t& bytes, const K* keys, K* sorted_keys, const V* values,
                               V* sorted_values, int n, int begin_bit, int end_bit, cudaStream_t stream) {
    if (!storage) {
      bytes = 1;
      return cudaSuccess;
    }
    if (begin_bit != 0 || end_bit != 8 * sizeof(K)) emulator::fail("SortPairs by a part of the key");
    emulator::enqueue(stream, [=] {
      std::vector<int> order(static_cast<size_t>(n));
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return keys[a] < keys[b]; });
      for (size_t i = 0; i < order.size(); ++i) {
        sorted_keys[i] = keys[order[i]];
        sorted_values[i] = values[order[i]];
      }
    });
    return cudaSuccess;
  }
};
}  // namespace cub
