// onednn_quantized_test.cpp - the CPU's product with a weight in four bits, with numbers that can be checked by hand.
#include <gmock/gmock.h>

#include "numbers.hpp"

namespace rgm::conformance {
namespace {

class OneDnnQuantized : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(library("onednn"))) GTEST_SKIP() << library("onednn") << " is not built";
    backend_ = std::make_unique<Backend>("onednn");
    ASSERT_EQ(backend_->opened.table->queue_new(backend_->opened.device, &q_), RGM_OK);
    // w (192, 192) = 2 on the diagonal: the level 1 there, and elsewhere the level 0, which is code 7.
    for (size_t i = 0; i < n; ++i) codes_[i * n / 2 + i / 2] = i % 2 ? 0x7F : 0xF7;
  }
  void TearDown() override {
    if (q_) backend_->opened.table->queue_free(q_);
  }
  rgm_status multiply(Floats& x, Floats& y, int64_t rows) {
    const int64_t in = std::ssize(x) / rows, out = std::ssize(y) / rows;
    const rgm_view vx = floats(x, {rows, in}), vy = floats(y, {rows, out}),
                   codes = view_of(codes_.data(), RGM_U8, {out, in / 2}), scales = floats(scales_, {out, in / 64});
    rgm_linear args{};
    args.struct_size = sizeof args;
    args.features = RGM_LINEAR_QUANTIZED;
    args.x = &vx, args.y = &vy, args.codes = &codes, args.scales = &scales;
    return backend_->kernels().linear(q_, &args);
  }

  static constexpr size_t n = 192;  // three blocks, so that the last vector of codes is half full
  std::vector<uint8_t> codes_ = std::vector<uint8_t>(n * n / 2, 0x77);
  Floats scales_ = Floats(n * n / 64, 2);
  std::unique_ptr<Backend> backend_;
  rgm_queue* q_ = nullptr;
};

TEST_F(OneDnnQuantized, EveryElementMeetsItsOwnOfEveryRow) {
  for (const size_t rows : {1, 2, 3, 8, 15, 16}) {
    Floats x(rows * n), twice(x), y(x);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1), twice[i] = 2 * x[i];
    ASSERT_EQ(multiply(x, y, static_cast<int64_t>(rows)), RGM_OK);
    EXPECT_EQ(y, twice) << rows;
    ASSERT_EQ(multiply(x, x, static_cast<int64_t>(rows)), RGM_OK);  // in the place of x
    EXPECT_EQ(x, twice) << rows;
  }
}

// Longer than what is summed at once, which is 8192 elements of one row, 4096 of two, and 1024 of eight.
TEST_F(OneDnnQuantized, ALongRowIsSummedToItsEnd) {
  constexpr size_t in = 8192 + 192, out = 5;  // w (5, 8384) = 2
  codes_.assign(out * in / 2, 0xFF), scales_.assign(out * in / 64, 2);
  for (const size_t rows : {1, 2, 4, 8}) {
    Floats x(rows * in, 1), y(rows * out);
    ASSERT_EQ(multiply(x, y, static_cast<int64_t>(rows)), RGM_OK);
    EXPECT_THAT(y, ::testing::Each(2 * in)) << rows;
  }
}

TEST_F(OneDnnQuantized, HundredsOfRowsAreLeftToAProductOfValues) {
  Floats x(300 * n, 1), y(x.size(), 5);
  EXPECT_EQ(multiply(x, y, 300), RGM_UNSUPPORTED);
  EXPECT_THAT(y, ::testing::Each(5));
}

TEST_F(OneDnnQuantized, AScaleThatIsNaNMakesItsRowOfTheWeightNaN) {
  scales_[3 * 3 + 1] = NAN;  // of row 3
  Floats x(n, 1), y(n);
  ASSERT_EQ(multiply(x, y, 1), RGM_OK);
  EXPECT_THAT(y[3], ::testing::IsNan());
  EXPECT_EQ(y[2], 2);
}

}  // namespace
}  // namespace rgm::conformance
