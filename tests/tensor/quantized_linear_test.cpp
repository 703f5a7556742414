// quantized_linear_test.cpp - a product with a weight in four bits: the backend reads the codes where it can, and is
// given the values where it cannot.
#include "tensor/fixture.hpp"
#include "tensor/quantized.hpp"
#include "tensor/views.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;

int products_of_codes = 0, products_of_values = 0, values_made = 0;

// The reference, with what it is asked for counted; or one whose products read values alone.
template <bool reads_codes>
const rgm_backend& counting_backend() {
  static const rgm_kernels kernels = [] {
    rgm_kernels k = *reference().kernels(nullptr);
    k.linear = [](rgm_queue* q, const rgm_linear* args) -> rgm_status {
      const bool codes = args->features & RGM_LINEAR_QUANTIZED;
      if (codes && !reads_codes) return RGM_UNSUPPORTED;
      ++(codes ? products_of_codes : products_of_values);
      return reference().kernels(nullptr)->linear(q, args);
    };
    k.dequantize = [](rgm_queue* q, const rgm_dequantize* args) -> rgm_status {
      ++values_made;
      return reference().kernels(nullptr)->dequantize(q, args);
    };
    return k;
  }();
  static const rgm_backend backend = [] {
    rgm_backend b = reference();
    b.kernels = [](rgm_device*) -> const rgm_kernels* { return &kernels; };
    return b;
  }();
  products_of_codes = products_of_values = values_made = 0;
  return backend;
}

// Two rows of 64, whose values are levels: 2 and -2, and nothing else; 3 at the end.
Tensor two_rows() {
  std::vector<float> w(128);
  w[0] = 2, w[1] = -2, w[127] = 3;
  return quantized(from_host(std::span<const float>(w), {2, 64}));
}
Tensor counted_up() {
  std::vector<float> x(64);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  return from_host(std::span<const float>(x), {1, 64});
}

TEST(QuantizedLinear, CodesAreReadAndNoValuesAreMade) {
  const OnDevice device(counting_backend<true>());
  // 2 * 1 - 2 * 2 + 1, and 3 * 64 + 1
  EXPECT_THAT(to_host(ops::linear(counted_up(), two_rows(), values({1, 1}))), ElementsAre(-1, 193));
  EXPECT_EQ(products_of_codes, 1);
  EXPECT_EQ(values_made, 0);
}

TEST(QuantizedLinear, ABackendThatRefusesCodesGetsValues) {
  const OnDevice device(counting_backend<false>());
  EXPECT_THAT(to_host(ops::linear(counted_up(), two_rows(), values({1, 1}))), ElementsAre(-1, 193));
  EXPECT_EQ(products_of_values, 1);
  EXPECT_EQ(values_made, 1);
}

TEST(QuantizedLinear, OnlyTheGradientOfItsInputMakesValues) {
  const OnDevice device(counting_backend<true>());
  const Tensor x = trained(counted_up());
  const Tensor y = ops::linear(x, two_rows(), {}, RGM_RELU);
  EXPECT_EQ(values_made, 0);
  backward(ops::sum(y));
  EXPECT_EQ(values_made, 1);
  // Of max(-2, 0) + 192, by x: the second row.
  const std::vector<float> gradient = to_host(x.take_gradient());
  EXPECT_EQ(gradient[0], 0);
  EXPECT_EQ(gradient[63], 3);
}

TEST(QuantizedLinear, APartOfAWeightThatIsNotItsRowsIsRejected) {
  const OnDevice device;
  const Tensor w = two_rows();
  EXPECT_THROW(ops::linear(counted_up(), alias(w, views::sliced(w.view(), 0, 0, 1))), Error);
}

}  // namespace
}  // namespace rgm::test
