// arena_test.cpp - where the GPU's tensors lie: blocks that join and part, memory that comes in pages and goes back,
// with the driver's virtual memory and without it.
#include "arena.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <regimen/error.hpp>

#include "emulator.hpp"

namespace regimen::cudnn {
namespace {

TEST(Gaps, NeighboursBecomeOneAndTheSmallestThatDoesIsTaken) {
  char memory[100];
  Gaps gaps;
  gaps.add({memory, 100});
  char* const a = gaps.take(10);
  char* const b = gaps.take(30);
  char* const c = gaps.take(20);
  EXPECT_EQ(a, memory);
  EXPECT_EQ(b, memory + 10);
  EXPECT_EQ(c, memory + 40);
  gaps.give(a);
  EXPECT_EQ(gaps.take(11), memory + 60) << "10 are free before b, and 40 behind c";
  EXPECT_EQ(gaps.take(10), memory);
  gaps.give(a);
  gaps.give(b);
  EXPECT_EQ(gaps.take(40), memory) << "a and b together";
  EXPECT_EQ(gaps.in_use(), 71u);
  EXPECT_EQ(gaps.take(30), nullptr) << "29 are left";
  EXPECT_FALSE(gaps.remove({memory + 71, 28}));
  EXPECT_TRUE(gaps.remove({memory + 71, 29}));
  EXPECT_EQ(gaps.take(1), nullptr);
}

TEST(Gaps, WhatIsGivenBackTwiceEndsTheProgram) {
  char memory[8];
  Gaps gaps;
  gaps.add({memory, 8});
  char* const a = gaps.take(8);
  gaps.give(a);
  EXPECT_DEATH(gaps.give(a), "");
}

#ifndef REGIMEN_SANITIZED  // there every block is the allocator's own

constexpr size_t MiB = size_t{1} << 20, page = 32 * MiB;

class GpuArena : public testing::Test {
 protected:
  ~GpuArena() override { emulator::memory = before_; }

 private:
  const size_t before_ = emulator::memory;
};

TEST_F(GpuArena, PagesComeWhenABlockFirstReachesThem) {
  Arena arena(0, emulator::memory, load_driver());
  EXPECT_EQ(arena.held(), page) << "tried when it was opened";
  void* const a = arena.allocate(20 * MiB);
  EXPECT_EQ(arena.held(), page);
  void* const b = arena.allocate(20 * MiB);
  EXPECT_EQ(arena.held(), 2 * page);
  std::memset(a, 1, 20 * MiB);
  std::memset(b, 2, 20 * MiB);
  EXPECT_EQ(static_cast<const char*>(a)[20 * MiB - 1], 1);
  arena.free(a);
  arena.free(b);
  void* const both = arena.allocate(40 * MiB);
  EXPECT_EQ(both, a) << "freed neighbours serve a larger block";
  EXPECT_EQ(arena.held(), 2 * page);
  arena.free(both);
}

TEST_F(GpuArena, WhatIsIdleGoesBack) {
  Arena arena(0, emulator::memory, load_driver());
  void* const a = arena.allocate(10 * MiB);
  void* const b = arena.allocate(100 * MiB);
  EXPECT_EQ(arena.held(), 4 * page);  // 110 of 128 MiB
  std::memset(a, 7, 10 * MiB);
  arena.free(b);
  arena.trim();
  EXPECT_EQ(arena.held(), page);
  EXPECT_EQ(static_cast<const char*>(a)[10 * MiB - 1], 7);
  void* const c = arena.allocate(100 * MiB);
  EXPECT_EQ(c, b);
  std::memset(c, 8, 100 * MiB);
  EXPECT_EQ(arena.held(), 4 * page);
  arena.free(a);
  arena.free(c);
}

TEST_F(GpuArena, MemoryThatIsShortIsTakenFromWhatIsIdle) {
  emulator::memory = 8 * page;
  Arena arena(0, emulator::memory, load_driver());
  void* const low = arena.allocate(3 * page);
  void* const wall = arena.allocate(page);
  void* const high = arena.allocate(2 * page);
  EXPECT_EQ(arena.held(), 6 * page);
  arena.free(low);
  void* const large = arena.allocate(4 * page);  // fits nowhere but behind `high`, and 2 pages are left
  EXPECT_EQ(large, static_cast<char*>(high) + 2 * page);
  EXPECT_EQ(arena.held(), 8 * page) << "two of the three of `low` went there";
  std::memset(large, 1, 4 * page);
  try {
    arena.allocate(2 * page);
    FAIL() << "there is one page left";
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_NO_MEMORY);
    EXPECT_THAT(e.what(), testing::HasSubstr("the GPU has"));
  }
  arena.free(large);
  void* const again = arena.allocate(2 * page);
  std::memset(again, 1, 2 * page);
  for (void* block : {wall, high, again}) arena.free(block);
}

TEST_F(GpuArena, AGpuThatHasFallenAwayIsNotToldAsAFullOne) {
  emulator::memory = 2 * page;
  Arena arena(0, emulator::memory, load_driver());
  void* const low = arena.allocate(page);
  setenv("EMULATED_GPU_GONE", "1", 1);
  rgm_status told = RGM_OK;
  try {
    arena.allocate(2 * page);
  } catch (const Error& e) {
    told = e.status();
  }
  unsetenv("EMULATED_GPU_GONE");
  EXPECT_EQ(told, RGM_DEVICE_ERROR);
  arena.free(low);
}

TEST_F(GpuArena, SmallBlocksAreTheirOwn) {
  Arena arena(0, emulator::memory, load_driver());
  void* const a = arena.allocate(1000);
  EXPECT_EQ(arena.held(), page + 1000);
  arena.free(a);
  EXPECT_EQ(arena.held(), page);
  arena.free(nullptr);
}

TEST_F(GpuArena, WithoutVirtualMemoryBlocksJoinWithinSegments) {
  Arena arena(0, emulator::memory, nullptr);
  EXPECT_EQ(arena.held(), 0u);
  void* const a = arena.allocate(100 * MiB);
  void* const b = arena.allocate(100 * MiB);
  EXPECT_EQ(arena.held(), 256 * MiB);
  arena.free(a);
  arena.free(b);
  EXPECT_EQ(arena.allocate(200 * MiB), a);
  void* const large = arena.allocate(300 * MiB);
  EXPECT_EQ(arena.held(), 556 * MiB);
  arena.free(large);
  arena.trim();
  EXPECT_EQ(arena.held(), 256 * MiB);
  arena.free(a);
}

// A driver that maps memory and gives no access to it.
TEST_F(GpuArena, ADriverThatFailsIsFoundWhenItIsOpened) {
  Driver broken = *load_driver();
  broken.set_access = [](CUdeviceptr, size_t, const CUmemAccessDesc*, size_t) { return CUDA_ERROR_NOT_SUPPORTED; };
  Arena arena(0, emulator::memory, &broken);
  EXPECT_EQ(arena.held(), 0u);
  void* const a = arena.allocate(MiB);
  std::memset(a, 1, MiB);
  arena.free(a);
}

#endif

}  // namespace
}  // namespace regimen::cudnn
