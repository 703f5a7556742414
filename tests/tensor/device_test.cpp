// device_test.cpp - blocks of memory: how large they are, and which one serves again.
#include "tensor/device.hpp"

#include "fixture.hpp"

namespace rgm::test {
namespace {

constexpr size_t MiB = size_t{1} << 20;

class Blocks : public TensorTest {};

TEST_F(Blocks, ALargeOneIsNoLargerThanAskedForButForAPage) {
  const size_t before = device->bytes_in_use();
  const Device::Block block = device->allocate(17 * MiB + 1);
  EXPECT_EQ(device->bytes_in_use() - before, 17 * MiB + 4096);
  device->release(block);
  EXPECT_EQ(device->bytes_in_use(), before);
}

TEST_F(Blocks, OneThatLiesIdleServesWhatIsUpToAnEighthSmaller) {
  const Device::Block block = device->allocate(9 * MiB);
  device->release(block);
  const uint64_t before = device->allocations();
  const Device::Block same = device->allocate(9 * MiB);
  EXPECT_EQ(same.data, block.data);
  device->release(same);
  const Device::Block smaller = device->allocate(8 * MiB);  // 8 + 1 = 9
  EXPECT_EQ(smaller.data, block.data);
  EXPECT_EQ(smaller.size, 9 * MiB);
  EXPECT_EQ(device->allocations(), before);
  const Device::Block much_smaller = device->allocate(7 * MiB);
  EXPECT_EQ(device->allocations(), before + 1);
  device->release(smaller);
  device->release(much_smaller);
}

// From 8 to 16 MiB in 800 steps of an eighth of a percent: a block for every eighth, and the one before goes.
TEST_F(Blocks, WhatGrowsALittleEachTimeIsSeldomAskedForAnew) {
  const uint64_t before = device->allocations();
  size_t size = 8 * MiB, most = 0;
  for (int i = 0; i <= 800; ++i, size = 8 * MiB + static_cast<size_t>(i) * MiB / 100) {
    const Device::Block block = device->allocate(size);
    EXPECT_GE(block.size, size);
    most = std::max(most, block.size);
    device->release(block);
  }
  EXPECT_LE(most, 16 * MiB);
  EXPECT_LE(device->allocations() - before, 9U);
}

}  // namespace
}  // namespace rgm::test
