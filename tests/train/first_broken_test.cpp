// first_broken_test.cpp - the operation at which numbers stop being finite, on the way forward and on the way back.
#include "train/first_broken.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "tensor/fixture.hpp"
#include "tensor/ops.hpp"
#include "tensor/quantized.hpp"
#include "tensor/tape.hpp"

namespace rgm::test {
namespace {

class FirstBroken : public TensorTest {
 protected:
  Parameters parameters_;
  Parameters* const all_[1] = {&parameters_};
  Tensor add(const char* name, std::vector<float> values) {
    return parameters_.add(name, from_host(values, {static_cast<int64_t>(values.size())}), true).value;
  }
};

TEST_F(FirstBroken, IsAParameterWhereOneIs) {
  add("sound", {1, 2});
  const Tensor w = add("broken", {1, NAN});
  EXPECT_EQ(first_broken(ops::sum(w * w), all_), "broken");
}

// e^50 is 5e21, its square is above 3.4e38, and the logarithm is given an infinity.
TEST_F(FirstBroken, IsTheFirstOperationThatWasGivenWhatIsNot) {
  const Tensor w = add("w", {50, 1});
  const Tensor large = ops::unary(RGM_SQUARE, ops::unary(RGM_EXP, w));
  EXPECT_EQ(first_broken(ops::sum(ops::unary(RGM_LOG, large)), all_), "unary next to unary of w");
}

// The slope of a root at 0 is infinite, of which the forward pass knows nothing.
TEST_F(FirstBroken, IsAGradientWhereTheLossIsFinite) {
  const Tensor w = add("w", {0, 4});
  EXPECT_EQ(first_broken(ops::sum(ops::unary(RGM_SQRT, w)), all_), "the gradient of unary of w");
}

TEST_F(FirstBroken, IsNothingWhereAllIsFinite) {
  const Tensor w = add("w", {1, 4});
  EXPECT_EQ(first_broken(ops::sum(ops::unary(RGM_SQRT, w)), all_), "");
}

// A NaN stands where the values of a weight in four bits were, and is none of them. The logarithm is given e^128.
TEST_F(FirstBroken, ReadsTheValuesOfAQuantizedWeight) {
  const Tensor w = parameters_.add("w", quantized(ops::full({2, 64}, 1)), false).value;
  const Tensor x = parameters_.add("x", ops::full({1, 64}, 1), true).value;
  EXPECT_EQ(first_broken(ops::sum(ops::linear(x, w)), all_), "");
  const Tensor large = ops::unary(RGM_SQUARE, ops::unary(RGM_EXP, ops::linear(x, quantized_rows(w, 1, 2))));
  EXPECT_EQ(first_broken(ops::sum(ops::unary(RGM_LOG, large)), all_), "unary next to linear of w");
  parameters_.add("broken", quantized(ops::full({2, 64}, NAN)), false);
  EXPECT_EQ(first_broken(ops::sum(ops::linear(x, w)), all_), "broken");
}

}  // namespace
}  // namespace rgm::test
