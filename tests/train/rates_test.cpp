// rates_test.cpp - which parameters go by which pattern, and what is said of a pattern that none goes by.
#include "train/rates.hpp"

#include "tensor/fixture.hpp"

namespace rgm::test {
namespace {

using testing::ThrowsMessage;

class Rates : public TensorTest {
 protected:
  Rates() {
    add("body.weight", 6, true);
    add("frozen.weight", 5, false);
    add("lora.query.a", 3, true);
    add("lora.query.b", 2, true);
    optimizer_.learning_rate = 0.1;
  }
  void add(const char* name, int64_t count, bool trained) { parameters_.add(name, ops::full({count}, 1), trained); }
  std::vector<RateCount> counts() const { return count_rates(optimizer_, stores_); }
  double rate(const char* name) const { return rate_of(optimizer_, *parameters_.find(name)); }
  std::function<void()> check(std::vector<OwnRate> rates) {
    optimizer_.rates = std::move(rates);
    return [this] { check_rates(optimizer_, stores_, "tune"); };
  }

  Parameters parameters_;
  Parameters* const stores_[1] = {&parameters_};
  OptimizerSpec optimizer_;
};

TEST_F(Rates, TheFirstPatternThatMatchesHolds) {
  optimizer_.rates = {{"*.b", 1.6}, {"lora.*", 0.2}};
  EXPECT_EQ(rate("lora.query.b"), 1.6);
  EXPECT_EQ(rate("lora.query.a"), 0.2);
  EXPECT_EQ(rate("body.weight"), 0.1);
  const std::vector<RateCount> all = counts();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].pattern, "*.b");
  EXPECT_EQ(all[0].learning_rate, 1.6);
  EXPECT_EQ(all[0].parameters, 2);
  EXPECT_EQ(all[1].parameters, 3);
  EXPECT_EQ(all[2].pattern, "");
  EXPECT_EQ(all[2].learning_rate, 0.1);
  EXPECT_EQ(all[2].parameters, 6) << "those that are frozen have none";
}

TEST_F(Rates, WhereEveryParameterHasItsOwnThereAreNoOthers) {
  optimizer_.rates = {{"lora.*", 0.2}, {"*.weight", 0.3}};
  ASSERT_EQ(counts().size(), 2U);
  EXPECT_EQ(counts()[1].parameters, 6);
}

TEST_F(Rates, APatternThatNothingGoesByIsTold) {
  check({})();
  check({{"*.b", 1}, {"lora.*", 1}, {"*", 1}})();
  EXPECT_THAT(check({{"*.b", 1}, {"lroa.*", 1}}),
              ThrowsMessage<Error>("stage \"tune\": optimizer: rates: no trained parameter matches \"lroa.*\"; did you "
                                   "mean \"lora.*\"?; names look like \"lora.query.b\""));
  EXPECT_THAT(
      check({{"frozen.*", 1}}),
      ThrowsMessage<Error>("stage \"tune\": optimizer: rates: \"frozen.*\" matches \"frozen.weight\", which the "
                           "stage does not train; see `trainable`"));
  EXPECT_THAT(check({{"lora.*", 1}, {"*.b", 2}}),
              ThrowsMessage<Error>("stage \"tune\": optimizer: rates: \"*.b\" has no effect, as \"lora.*\" comes first "
                                   "and matches the same parameters: put \"*.b\" before it, or leave it out"));
}

}  // namespace
}  // namespace rgm::test
