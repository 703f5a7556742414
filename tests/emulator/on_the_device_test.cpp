// on_the_device_test.cpp - single calls of the GPU's backend on the GPU in software: what only a wait can tell, uploads
// of every size, what is kept between calls, and a GPU that is gone.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "conformance/loader.hpp"

namespace rgm {
namespace {

using conformance::Backend;
constexpr const char* emulated = "../regimen-emulated/cudnn";

class OnTheDevice : public testing::Test {
 protected:
  OnTheDevice() { EXPECT_EQ(table().queue_new(gpu_.opened.device, &queue_), RGM_OK); }
  ~OnTheDevice() override {
    for (void* block : blocks_) table().free(gpu_.opened.device, block);
    table().queue_free(queue_);
  }
  const rgm_backend& table() const { return *gpu_.opened.table; }
  void* allocated(size_t bytes) {
    EXPECT_EQ(table().alloc(gpu_.opened.device, bytes, &blocks_.emplace_back()), RGM_OK);
    return blocks_.back();
  }
  template <class T>
  rgm_view view(std::vector<T> values, std::array<int64_t, 2> shape, rgm_dtype dtype) {
    rgm_view v{};
    v.data = allocated(values.size() * sizeof(T));
    v.dtype = dtype;
    v.rank = shape[1] == 0 ? 1 : 2;
    v.shape[0] = shape[0], v.shape[1] = shape[1];
    v.stride[0] = v.rank == 1 ? 1 : shape[1], v.stride[1] = 1;
    EXPECT_EQ(table().upload(queue_, v.data, values.data(), values.size() * sizeof(T)), RGM_OK);
    return v;
  }
  rgm_view floats(std::array<int64_t, 2> shape) {
    return view(std::vector<float>(static_cast<size_t>(shape[0] * std::max<int64_t>(shape[1], 1)), 1), shape, RGM_F32);
  }
  rgm_view indices(std::vector<int32_t> values) {
    const auto n = static_cast<int64_t>(values.size());
    return view(std::move(values), {n, 0}, RGM_I32);
  }
  rgm_view heads(int64_t T) {  // (1, T, 1, 8), all 0, in bfloat16
    rgm_view v = view(std::vector<uint16_t>(static_cast<size_t>(T * 8)), {T, 8}, RGM_BF16);
    v.rank = 4;
    const int64_t shape[] = {1, T, 1, 8}, stride[] = {8 * T, 8, 8, 1};
    for (int i = 0; i < 4; ++i) v.shape[i] = shape[i], v.stride[i] = stride[i];
    return v;
  }
  uint64_t held() const { return table().held(gpu_.opened.device); }
  void expect_told_at_the_wait(rgm_status launched, const std::string& what) {
    EXPECT_EQ(launched, RGM_OK);
    EXPECT_EQ(table().wait(queue_), RGM_INVALID);
    EXPECT_EQ(conformance::last_failure(), what);
    EXPECT_EQ(table().wait(queue_), RGM_OK);  // told once
  }

  Backend gpu_{emulated};
  rgm_queue* queue_ = nullptr;
  std::vector<void*> blocks_;
};

TEST_F(OnTheDevice, AnIndexThatIsOutsideIsToldAtTheNextWait) {
  const rgm_kernels& k = gpu_.kernels();
  const rgm_view table = floats({4, 3}), two = floats({2, 3}), bad = indices({3, 4});
  expect_told_at_the_wait(k.gather(queue_, 0, &table, &bad, &two), "an index is outside of the axis that it is for");
  expect_told_at_the_wait(k.scatter_add(queue_, 0, &bad, &two, &table),
                          "an index is outside of the axis that it is for");
  std::vector<int32_t> many(300, 2);  // so many are sorted
  many[7] = -1;
  const rgm_view rows = floats({300, 3}), places = indices(many);
  expect_told_at_the_wait(k.scatter_add(queue_, 0, &places, &rows, &table),
                          "an index is outside of the axis that it is for");
}

TEST_F(OnTheDevice, ATargetOutsideOfTheVocabularyIsToldAtTheNextWait) {
  const rgm_view x = floats({2, 8}), w = floats({5, 8}), targets = indices({4, 5}), logprobs = floats({2, 0});
  rgm_head_loss args{};
  args.struct_size = sizeof args;
  args.scale = 1;
  args.x = &x, args.w = &w, args.targets = &targets, args.logprobs = &logprobs;
  expect_told_at_the_wait(gpu_.kernels().head_loss(queue_, &args), "head_loss: a target outside of w");
}

// Ten million times 0.1, of which the last of every 251 is left out: 40 thousand for each thread of the one block.
TEST_F(OnTheDevice, SumsOfManyNumbersKeepTheirDigits) {
  rgm_view x = view(std::vector<float>(40000 * 251, 0.1f), {40000, 251}, RGM_F32);
  x.shape[1] = 250;
  const rgm_view y = floats({1, 1});
  ASSERT_EQ(gpu_.kernels().reduce(queue_, RGM_SUM, 3, &x, &y), RGM_OK);
  float sum = 0;
  ASSERT_EQ(table().download(queue_, &sum, y.data, sizeof sum), RGM_OK);
  EXPECT_NEAR(sum, 1e6, 20);
}

// Small ones go through pinned memory that is used again, large ones past it.
TEST_F(OnTheDevice, UploadsOfEverySizeArrive) {
  const size_t most = 9 << 20, step = 3 << 20;
  std::vector<unsigned char> first(most), second(most), back(most);
  std::iota(first.begin(), first.end(), 1);
  std::iota(second.begin(), second.end(), 99);
  auto* const memory = static_cast<unsigned char*>(allocated(most));
  ASSERT_EQ(table().upload(queue_, memory, first.data(), most), RGM_OK);
  ASSERT_EQ(table().download(queue_, back.data(), memory, most), RGM_OK);
  EXPECT_EQ(back, first);
  for (int round = 0; round < 6; ++round)  // 54 MiB through a ring of 32
    for (size_t at = 0; at < most; at += step) {
      std::vector<unsigned char> piece(second.begin() + static_cast<ptrdiff_t>(at),
                                       second.begin() + static_cast<ptrdiff_t>(at + step));
      ASSERT_EQ(table().upload(queue_, memory + at, piece.data(), step), RGM_OK);
    }  // the pieces are gone before anybody waits
  ASSERT_EQ(table().download(queue_, back.data(), memory, most), RGM_OK);
  EXPECT_EQ(back, second);
}

// A product has a workspace of 64 MiB.
TEST_F(OnTheDevice, ScratchGoesBackWhenMemoryIsTrimmed) {
  const rgm_view a = floats({2, 3}), b = floats({3, 4}), y = floats({2, 4});
  const uint64_t before = held();
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(gpu_.kernels().matmul(queue_, 1, &a, &b, 0, &y), RGM_OK);
    EXPECT_GT(held(), before);
    std::vector<float> sums(8);
    ASSERT_EQ(table().download(queue_, sums.data(), y.data, sums.size() * sizeof(float)), RGM_OK);
    EXPECT_EQ(sums, std::vector<float>(8, 3));
    table().trim(gpu_.opened.device);
    EXPECT_LE(held(), before);
  }
}

// Each scale asks for a plan of its own, and 256 are kept.
TEST_F(OnTheDevice, ThePlanOfAttentionThatWasNotUsedForLongestGoes) {
  const std::string file = std::filesystem::temp_directory_path() / fmt::format("cudnn-builds-{}", getpid());
  setenv("EMULATED_CUDNN_BUILDS", file.c_str(), 1);
  const rgm_view q = heads(2), k = heads(2), v = heads(2), y = heads(2);
  rgm_view lse = floats({2, 0});
  lse.rank = 3;
  const int64_t shape[] = {1, 1, 2}, stride[] = {2, 2, 1};
  for (int i = 0; i < 3; ++i) lse.shape[i] = shape[i], lse.stride[i] = stride[i];
  rgm_attention args{};
  args.struct_size = sizeof args;
  args.features = RGM_ATTENTION_CAUSAL;
  args.q = &q, args.k = &k, args.v = &v, args.y = &y, args.lse = &lse;
  const auto builds_after = [&](int scale) {
    args.scale = scale;
    EXPECT_EQ(gpu_.kernels().attention(queue_, &args), RGM_OK);
    return std::filesystem::file_size(file);
  };
  for (uintmax_t i = 1; i <= 256; ++i) ASSERT_EQ(builds_after(static_cast<int>(i)), i);
  EXPECT_EQ(builds_after(1), 256u);
  EXPECT_EQ(builds_after(257), 257u) << "in the place of 2";
  EXPECT_EQ(builds_after(1), 257u);
  EXPECT_EQ(builds_after(2), 258u);
  unsetenv("EMULATED_CUDNN_BUILDS");
  std::filesystem::remove(file);
}

// A library says only that its call failed.
TEST_F(OnTheDevice, AProductOnAGpuThatHasFallenAwayIsToldAsThat) {
  const rgm_view a = floats({2, 3}), b = floats({3, 4}), y = floats({2, 4});
  ASSERT_EQ(gpu_.kernels().matmul(queue_, 1, &a, &b, 0, &y), RGM_OK);  // so that its scratch is there
  setenv("EMULATED_GPU_GONE", "1", 1);
  const rgm_status status = gpu_.kernels().matmul(queue_, 1, &a, &b, 0, &y);
  unsetenv("EMULATED_GPU_GONE");
  EXPECT_EQ(status, RGM_DEVICE_ERROR);
  EXPECT_EQ(conformance::last_failure(), "matmul: unspecified launch failure");
}

TEST_F(OnTheDevice, HostMemoryThatCannotBePinnedIsNotToldAsAFullGpu) {
  const int number = 7;
  void* const to = allocated(sizeof number);
  setenv("EMULATED_GPU_UNPINNED", "1", 1);
  const rgm_status status = table().upload(queue_, to, &number, sizeof number);
  unsetenv("EMULATED_GPU_UNPINNED");
  EXPECT_EQ(status, RGM_DEVICE_ERROR);
  EXPECT_THAT(conformance::last_failure(), testing::HasSubstr("32 MiB of pinned host memory"));
  EXPECT_EQ(table().upload(queue_, to, &number, sizeof number), RGM_OK);
}

}  // namespace
}  // namespace rgm
