// memory_test.cpp - the CPU's memory: freed blocks become one with their neighbours, and serve again.
#include <algorithm>

#include "loader.hpp"

namespace rgm::conformance {
namespace {

constexpr size_t MiB = size_t{1} << 20;

class CpuMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(library("onednn"))) GTEST_SKIP() << library("onednn") << " is not built";
    backend_ = std::make_unique<Backend>("onednn");
  }
  char* allocate(size_t bytes) {
    void* out = nullptr;
    EXPECT_EQ(backend_->opened.table->alloc(backend_->opened.device, bytes, &out), RGM_OK);
    std::fill_n(static_cast<char*>(out), bytes, '\1');
    return static_cast<char*>(out);
  }
  void free(char* block) { backend_->opened.table->free(backend_->opened.device, block); }
  uint64_t held() { return backend_->opened.table->held(backend_->opened.device); }
  void trim() { backend_->opened.table->trim(backend_->opened.device); }

  std::unique_ptr<Backend> backend_;
};

TEST_F(CpuMemory, IsAlignedTo256BytesHoweverMuchIsAskedFor) {
  for (const size_t bytes : {size_t{1}, size_t{1000}, 64 * MiB / 1024, 3 * MiB + 1}) {
    char* const block = allocate(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 256, 0U) << bytes;
    free(block);
  }
}

TEST_F(CpuMemory, ThatWasFreedServesAgainAndNothingNewIsTaken) {
  free(allocate(8 * MiB));
  const uint64_t before = held();
  for (int i = 0; i < 10; ++i) {
    char *const a = allocate(3 * MiB), *const b = allocate(5 * MiB);
    free(a);
    free(b);
  }
  EXPECT_EQ(held(), before);
}

TEST_F(CpuMemory, IsGivenBackByTrimWhereItIsIdle) {
  trim();
  char* const stays = allocate(4 * MiB);
  const uint64_t before = held();
  free(allocate(40 * MiB));
  EXPECT_GE(held(), before + 38 * MiB);  // its rim may lie on a huge page of 2 MiB that was there
  trim();
  EXPECT_LE(held(), before);
  EXPECT_TRUE(std::all_of(stays, stays + 4 * MiB, [](char c) { return c == '\1'; }));
  free(stays);
}

TEST_F(CpuMemory, IsGivenBackWithTheDevice) {
  trim();
  const uint64_t before = held();
  free(allocate(40 * MiB));
  backend_.reset();
  EXPECT_LE(Backend("onednn").opened.table->held(nullptr), before);
}

#ifndef REGIMEN_SANITIZED  // which has each block from the C library
TEST_F(CpuMemory, OfTwoFreedNeighboursServesALargerBlock) {
  trim();
  char *const a = allocate(3 * MiB), *const b = allocate(3 * MiB), *const rim = allocate(1 * MiB);
  ASSERT_EQ(b, a + 3 * MiB);
  free(a);
  free(b);
  char* const both = allocate(6 * MiB);
  EXPECT_EQ(both, a);
  free(both);
  free(rim);
}
#endif

}  // namespace
}  // namespace rgm::conformance
