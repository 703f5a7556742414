// emulator_test.cpp - the GPU in software does what a GPU does, and finds what it is there to find.
#include "emulator.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using emulator::Launch;

void number_threads(int* out) {
  out[(blockIdx.x * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x] =
      static_cast<int>(100 * blockIdx.x + 10 * threadIdx.y + threadIdx.x);
}

TEST(EmulatedGpu, ThreadsKnowWhereTheyAre) {
  std::vector<int> out(12, -1);
  number_threads->*Launch(2, dim3(3, 2))(out.data());
  EXPECT_EQ(out, std::vector<int>(12, -1));  // nobody has waited
  ASSERT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  EXPECT_EQ(out, (std::vector<int>{0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112}));
}

void sum(const int* x, int* warps, int* block, int* large) {
  int mine = x[threadIdx.x];
  *large = __syncthreads_and(mine >= 0) + 2 * __syncthreads_or(mine > 95) + 4 * __syncthreads_or(mine > 96);
  for (int lanes = 16; lanes > 0; lanes /= 2) mine += __shfl_xor_sync(0xFFFFFFFF, mine, lanes);
  warps[threadIdx.x] = __shfl_sync(0xFFFFFFFF, mine, 0);
  __shared__ int sums[3];
  sums[threadIdx.x / 32] = mine;
  __syncthreads();
  block[threadIdx.x] = sums[0] + sums[1] + sums[2];
}

TEST(EmulatedGpu, WarpsExchangeAndBlocksWait) {
  std::vector<int> x(96), warps(96), block(96);
  for (int i = 0; i < 96; ++i) x[static_cast<size_t>(i)] = i + 1;
  int large = -1;
  sum->*Launch(1, 96)(x.data(), warps.data(), block.data(), &large);
  ASSERT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  EXPECT_EQ(large, 3);               // all are at least 0, one is above 95, none above 96
  EXPECT_EQ(warps[5], 32 * 33 / 2);  // of 1 to 32
  EXPECT_EQ(warps[95], 528 + 2 * 32 * 32);
  for (int b : block) EXPECT_EQ(b, 96 * 97 / 2);
}

// Each thread reads its neighbour's word without a wait in between.
void reads_too_early(int* out) {
  __shared__ int words[64];
  words[threadIdx.x] = static_cast<int>(threadIdx.x);
  out[threadIdx.x] = words[(threadIdx.x + 32) % 64];
  __syncthreads();
  words[threadIdx.x] = -1;
}

TEST(EmulatedGpu, AKernelThatLacksAWaitGivesOtherBitsWhenItIsCalledAgain) {
  std::vector<int> first(64), second(64);
  for (std::vector<int>* out : {&first, &second}) {
    reads_too_early->*Launch(1, 64)(out->data());
    ASSERT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  }
  EXPECT_NE(first, second);
}

TEST(EmulatedGpu, ItDoesSoWhereAnotherKernelRunsInBetween) {
  std::vector<int> first(64), second(64);
  for (std::vector<int>* out : {&first, &second}) {
    int numbers[1];
    reads_too_early->*Launch(1, 64)(out->data());
    number_threads->*Launch(1, 1)(numbers);
    ASSERT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  }
  EXPECT_NE(first, second);
}

void adds_without_an_order(int* out) { *out = 3 * *out + static_cast<int>(blockIdx.x); }

TEST(EmulatedGpu, BlocksThatDependOnTheirOrderGiveOtherBitsToo) {
  std::vector<int> results;
  for (int i = 0; i < 4; ++i) {
    int out = 0;
    adds_without_an_order->*Launch(3, 1)(&out);
    ASSERT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
    results.push_back(out);
  }
  EXPECT_EQ(std::count(results.begin(), results.end(), 5), 2);   // ((0 * 3 + 0) * 3 + 1) * 3 + 2
  EXPECT_EQ(std::count(results.begin(), results.end(), 21), 2);  // ((0 * 3 + 2) * 3 + 1) * 3 + 0
}

void half_waits() {
  if (threadIdx.x < 32) return;
  __syncthreads();
}

TEST(EmulatedGpuDeathTest, AWaitForThreadsThatHaveLeftEndsTheProcess) {
  EXPECT_DEATH(
      {
        half_waits->*Launch(1, 64)();
        cudaStreamSynchronize(nullptr);
      },
      "threads of a block wait for others that have left");
}

void does_nothing() {}

TEST(EmulatedGpu, ALaunchThatNoGpuTakesIsRefused) {
  does_nothing->*Launch(1, 1025)();
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  does_nothing->*Launch(dim3(1, 65536), 1)();
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  does_nothing->*Launch(1, 1, 48 << 10)();  // more shared memory than is left beside a kernel's own
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  ASSERT_EQ(cudaFuncSetAttribute(does_nothing, cudaFuncAttributeMaxDynamicSharedMemorySize, 49 << 10), cudaSuccess);
  does_nothing->*Launch(1, 1, 49 << 10)();
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST(EmulatedGpu, PinnedMemoryIsReadWhenTheCopyRunsAndOtherMemoryWhenItIsAskedFor) {
  int* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(reinterpret_cast<void**>(&pinned), sizeof(int)), cudaSuccess);
  int pageable = 1, from_pinned = 0, from_pageable = 0;
  *pinned = 1;
  cudaMemcpyAsync(&from_pinned, pinned, sizeof(int), cudaMemcpyHostToDevice, nullptr);
  cudaMemcpyAsync(&from_pageable, &pageable, sizeof(int), cudaMemcpyHostToDevice, nullptr);
  *pinned = pageable = 2;
  ASSERT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  EXPECT_EQ(from_pinned, 2);
  EXPECT_EQ(from_pageable, 1);
  cudaFreeHost(pinned);
}

}  // namespace
