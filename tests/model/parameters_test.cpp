// parameters_test.cpp - the hash of a store is that of its names, shapes and values, however large one is.
#include "model/parameters.hpp"

#include "base/sha256.hpp"
#include "tensor/fixture.hpp"

namespace rgm::test {
namespace {

class ParametersTest : public TensorTest {};

// 1.5 million numbers are 6 MB, more than is fetched at once.
TEST_F(ParametersTest, TheHashIsOfAllValuesInTheirOrder) {
  const std::vector<float> large = numbers(1'500'000, 1), small = {1, 2, 3};
  Parameters parameters;
  parameters.add("large", from_host(large, {1000, 1500}), true);
  parameters.add("small", from_host(small, {3}), true);
  Sha256 sum;
  const auto add = [&](const std::string& name, const Shape& shape, const std::vector<float>& values) {
    sum.update(name + shape.text()).update(values.data(), values.size() * sizeof(float));
  };
  add("large", {1000, 1500}, large);
  add("small", {3}, small);
  EXPECT_EQ(parameters.sha256(), sum.hex());
}

TEST_F(ParametersTest, TheHashLeavesOutTheOneThatIsNamed) {
  Parameters both, one;
  both.add("kept", values({1, 2}), true);
  one.add("kept", values({1, 2}), true);
  both.add("score.weight", values({3}), true);
  EXPECT_NE(both.sha256(), one.sha256());
  EXPECT_EQ(both.sha256("score.weight"), one.sha256());
}

}  // namespace
}  // namespace rgm::test
