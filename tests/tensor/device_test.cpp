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

// A backend that keeps freed memory, of which all is new for as long as `taken` grows.
std::vector<size_t> asked_for;
std::vector<void*> handed_back;
uint64_t taken = 0;

const rgm_backend& backend_that_keeps() {
  static const rgm_backend backend = [] {
    rgm_backend b = reference();
    b.alloc = [](rgm_device* device, size_t bytes, void** out) {
      asked_for.push_back(bytes);
      return reference().alloc(device, bytes, out);
    };
    b.free = [](rgm_device* device, void* memory) {
      handed_back.push_back(memory);
      reference().free(device, memory);
    };
    b.held = [](rgm_device*) { return taken; };
    b.trim = [](rgm_device*) { taken = 0; };
    return b;
  }();
  return backend;
}

TEST(KeptByTheBackend, BlocksOf64KiBAndMoreGoStraightBackAndSmallerOnesStay) {
  asked_for.clear(), handed_back.clear(), taken = 0;
  OnDevice device(backend_that_keeps());
  const Device::Block large = device->allocate((64 << 10) + 1), small = device->allocate(60 << 10);
  EXPECT_THAT(asked_for, testing::ElementsAre(68 << 10, 60 << 10));  // whole pages; an eighth of 32 KiB is 4
  device->release(large);
  device->release(small);
  EXPECT_THAT(handed_back, testing::ElementsAre(large.data));
  EXPECT_EQ(device->bytes_in_use(), 0U);
  const Device::Block again = device->allocate(60 << 10);
  EXPECT_EQ(again.data, small.data);
  device->release(again);
}

TEST(KeptByTheBackend, OnlyABlockThatTakesNewMemoryCountsAsAnAllocation) {
  taken = 2 * MiB;
  OnDevice device(backend_that_keeps());
  device->release(device->allocate(1 * MiB));
  const uint64_t before = device->allocations();
  device->release(device->allocate(1 * MiB));
  EXPECT_EQ(device->allocations(), before);
  taken = 4 * MiB;
  device->release(device->allocate(2 * MiB));
  EXPECT_EQ(device->allocations(), before + 1);
  device->trim();
  EXPECT_EQ(taken, 0U);
  taken = 2 * MiB;  // less than before, but trim() gave all of that back
  device->release(device->allocate(1 * MiB));
  EXPECT_EQ(device->allocations(), before + 2);
}

template <class F>
std::string text_of_error(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(KeptByTheBackend, MemoryThatAKernelLacksIsToldWithTheBackendsScratch) {
  taken = 5 * MiB;
  OnDevice device(backend_that_keeps());
  const Device::Block block = device->allocate(1 * MiB);
  EXPECT_THAT(text_of_error([&] { device->check(keep_failure(RGM_NO_MEMORY, "none is left")); }),
              testing::HasSubstr(": none is left; 1.05 MB are in use, beside 4.19 MB of scratch"));
  EXPECT_EQ(device->bytes_when_refused(), 1 * MiB);
  device->release(block);
}

TEST(BrokenBackend, IsNamedByWhatAKernelThrows) {
  static rgm_kernels kernels = *reference().kernels(nullptr);
  kernels.gather = [](rgm_queue*, int32_t, const rgm_view*, const rgm_view*, const rgm_view*) -> rgm_status {
    throw 7;
  };
  rgm_backend backend = reference();
  backend.kernels = [](rgm_device*) -> const rgm_kernels* { return &kernels; };
  const OnDevice device(backend);
  EXPECT_EQ(text_of_error([] {
              ops::gather(values({1, 2}), 0, indices({0}));
            }),
            "backend \"reference\": gather threw \"an exception of an unknown kind\" across the border, where only a "
            "status is allowed; its author has to correct it");
  EXPECT_EQ(item(ops::sum(values({1, 2}))), 3);
}

// What one that is spoilt says when it is opened.
std::string refusal(void (*spoil)(rgm_backend&)) {
  rgm_backend backend = reference();
  spoil(backend);
  return text_of_error([&] { const OnDevice device(backend); });
}
std::string thrown_by(const char* function) {
  return fmt::format("backend \"reference\": {} threw \"told to\" across the border", function);
}
template <class... A>
rgm_status throwing(A...) {
  throw std::runtime_error("told to");
}

TEST(BrokenBackend, IsNamedByWhatItThrowsWhenItIsOpened) {
  using testing::HasSubstr;
  EXPECT_THAT(refusal([](rgm_backend& b) { b.device_count = throwing<uint32_t*>; }),
              HasSubstr(thrown_by("device_count")));
  EXPECT_THAT(refusal([](rgm_backend& b) { b.device_info = throwing<uint32_t, rgm_device_info*>; }),
              HasSubstr(thrown_by("device_info")));
  EXPECT_THAT(refusal([](rgm_backend& b) { b.open = throwing<uint32_t, const rgm_config*, rgm_device**>; }),
              HasSubstr(thrown_by("open")));
  EXPECT_THAT(refusal([](rgm_backend& b) { b.queue_new = throwing<rgm_device*, rgm_queue**>; }),
              HasSubstr(thrown_by("queue_new")));
}

TEST(BrokenBackend, IsNamedByWhatItThrowsAtWork) {
  using testing::HasSubstr;
  rgm_backend backend = reference();
  backend.alloc = throwing<rgm_device*, size_t, void**>;
  backend.upload = backend.download = throwing<rgm_queue*, void*, const void*, size_t>;
  backend.wait = throwing<rgm_queue*>;
  const OnDevice device(backend);
  int32_t number = 0;
  EXPECT_THAT(text_of_error([&] { device->allocate(1000); }), HasSubstr(thrown_by("alloc")));
  EXPECT_THAT(text_of_error([&] { device->upload(&number, &number, 4); }), HasSubstr(thrown_by("upload")));
  EXPECT_THAT(text_of_error([&] { device->download(&number, &number, 4); }), HasSubstr(thrown_by("download")));
  EXPECT_THAT(text_of_error([&] { device->wait(); }), HasSubstr(thrown_by("wait")));
}

// Tensors give memory back when they go, and nothing may be thrown there.
TEST(BrokenBackend, ThatThrowsWhereMemoryIsGivenBackIsToldOf) {
  rgm_backend backend = reference();
  backend.free = [](rgm_device* device, void* memory) {
    reference().free(device, memory);
    throw std::runtime_error("told to");
  };
  testing::internal::CaptureStderr();
  {
    const OnDevice device(backend);
    device->release(device->allocate(1000));
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr(thrown_by("free")));
}

TEST(BrokenBackend, IsNamedWhereItGivesNoMemory) {
  rgm_backend backend = reference();
  backend.alloc = [](rgm_device*, size_t, void** out) -> rgm_status { return *out = nullptr, RGM_OK; };
  const OnDevice device(backend);
  EXPECT_THAT(text_of_error([&] { device->allocate(1000); }),
              testing::HasSubstr("backend \"reference\": alloc returned RGM_OK but no memory"));
}

TEST(BrokenBackend, WithoutADeviceIsNotOpened) {
  rgm_backend backend = reference();
  backend.device_count = [](uint32_t* out) -> rgm_status { return *out = 0, RGM_OK; };
  EXPECT_EQ(text_of_error([&] { const OnDevice device(backend); }), "it found no device here");
}

}  // namespace
}  // namespace rgm::test
