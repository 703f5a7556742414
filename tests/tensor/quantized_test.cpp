// quantized_test.cpp - weights in four bits an element: their values, products, and what they take.
#include "tensor/quantized.hpp"

#include "tensor/fixture.hpp"
#include "tensor/views.hpp"

namespace rgm::test {
namespace {

using testing::Each;
using testing::ElementsAre;

class Quantized : public testing::TestWithParam<Offer> {
 protected:
  OnDevice device{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Offers, Quantized, testing::Values(Offer::everything, Offer::nothing, Offer::refusals),
                         [](const auto& info) { return name_of(info.param); });

// A row of 64 with these in front, and zeros.
std::vector<float> row_of(std::vector<float> first) {
  first.resize(64, 0.0F);
  return first;
}
Tensor matrix_of(std::initializer_list<std::vector<float>> rows) {
  std::vector<float> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return from_host(std::span<const float>(all), {std::ssize(rows), 64});
}

TEST_P(Quantized, AValueBecomesTheNearestLevelOfItsBlock) {
  // Of 2, the largest: 1, -1, 0.08 (level 0.0796), 0.5 (below the border 0.5017: level 0.4407), 0.51 (0.5626)
  const Tensor w = quantized(matrix_of({row_of({2, -2, 0.16F, 1, 1.02F})}));
  const auto y = to_host(readable(w));
  EXPECT_THAT(std::vector(y.begin(), y.begin() + 6),
              ElementsAre(2, -2, 2 * 0.07958029955625534F, 2 * 0.44070982933044434F, 2 * 0.5626170039176941F, 0));
}

TEST_P(Quantized, EachBlockHasAScaleOfItsOwn) {
  std::vector<float> two = row_of({1});
  for (const float x : row_of({100, 50})) two.push_back(x);
  const auto y = to_host(readable(quantized(from_host(std::span<const float>(two), {1, 128}))));
  EXPECT_EQ(y[0], 1);
  EXPECT_EQ(y[64], 100);
  EXPECT_FLOAT_EQ(y[65], 44.070982933044434F);
}

TEST_P(Quantized, ZerosStayZerosAndNaNIsNotLost) {
  const auto y = to_host(readable(quantized(matrix_of({row_of({}), row_of({1, std::nanf("")})}))));
  EXPECT_THAT(std::vector(y.begin(), y.begin() + 64), Each(0));
  for (size_t i = 64; i < 128; ++i) EXPECT_TRUE(std::isnan(y[i])) << i;
}

TEST_P(Quantized, NoValueIsFurtherFromItsLevelThanHalfTheWidestGap) {
  const Tensor x = sample({8, 192}, 3);
  const auto before = to_host(x), after = to_host(readable(quantized(x)));
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], (1 - 0.6961929) / 2 + 1e-6);
}

TEST_P(Quantized, AProductAndTheGradientOfItsInputAreThoseOfTheValues) {
  const Tensor w = quantized(sample({5, 128}, 1)), plain = readable(w), b = values({1, 2, 3, 4, 5});
  const Tensor x = trained(sample({3, 128}, 2)), same = trained(sample({3, 128}, 2));
  const Tensor y = ops::linear(x, w, b, RGM_RELU), z = ops::linear(same, plain, b, RGM_RELU);
  EXPECT_EQ(to_host(y), to_host(z));
  backward(ops::sum(y)), backward(ops::sum(z));
  EXPECT_EQ(to_host(x.take_gradient()), to_host(same.take_gradient()));
}

TEST_P(Quantized, InBfloat16TheProductReadsRoundedValues) {
  const Tensor w = quantized(sample({4, 64}, 1)), x = ops::cast(sample({2, 64}, 2), RGM_BF16);
  EXPECT_EQ(readable(w, RGM_BF16).dtype(), RGM_BF16);
  EXPECT_EQ(to_host(ops::linear(x, w)), to_host(ops::linear(x, ops::cast(readable(w), RGM_BF16))));
}

TEST_P(Quantized, RowsOfItAreThoseRows) {
  const Tensor w = quantized(sample({6, 64}, 1));
  const auto whole = to_host(readable(w)), part = to_host(readable(quantized_rows(w, 2, 5)));
  EXPECT_EQ(part, std::vector(whole.begin() + 128, whole.begin() + 320));
}

TEST(QuantizedWeights, TakeFourAndAHalfBitsAnElement) {
  const OnDevice device;
  const Tensor x = sample({64, 64}, 1);
  EXPECT_EQ(held_bytes(x), 16384u);
  EXPECT_EQ(held_bytes(quantized(x)), 64 * 32 + 64 * 4u);
}

TEST(QuantizedWeights, NothingOfTheirValuesIsKeptForTheGradient) {
  const OnDevice device;
  const Tensor w = quantized(sample({256, 256}, 1)), x = trained(sample({1, 256}, 2));
  const size_t before = device->bytes_in_use();
  const Tensor y = ops::linear(x, w);
  EXPECT_LT(device->bytes_in_use() - before, 256 * 256u);
}

TEST(QuantizedWeights, APartThatIsNotMadeOfRowsIsRefused) {
  const OnDevice device;
  const Tensor w = quantized(sample({4, 64}, 1));
  EXPECT_THROW(readable(alias(w, views::sliced(w.view(), 0, 0, 2))), Error);
  EXPECT_FALSE(can_quantize({4, 32}));
  EXPECT_THROW(quantized(sample({4, 32}, 1)), Error);
}

}  // namespace
}  // namespace rgm::test
