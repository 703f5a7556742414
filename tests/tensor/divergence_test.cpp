// divergence_test.cpp - the divergence of Jensen and Shannon with any share of the teacher in its mixture, by hand.
#include <regimen/abi/model.h>

#include "fixture.hpp"

namespace rgm::test {
namespace {

// The student's logits (0, 0) give q = (1/2, 1/2), the teacher's (log 3, 0) give p = (3/4, 1/4).
class JensenShannon : public testing::Test {
 protected:
  static Tensor at(double share) {
    const Tensor x = values({1}, {1, 1}), w = values({0, 0}, {2, 1}), wt = values({std::log(3.0F), 0}, {2, 1});
    return ops::head_divergence(x, w, x, wt, values({1}), RGM_JENSEN_SHANNON, {}, {}, share);
  }
  OnDevice device{Offer::everything};
};

// m = (9/16, 7/16): KL(p, m) = 3/4 log 4/3 + 1/4 log 4/7 = 0.07586, KL(q, m) = 1/2 log 8/9 + 1/2 log 8/7 = 0.00787, and
// 1/4 of the first with 3/4 of the second are 0.02487.
TEST_F(JensenShannon, AQuarterOfTheTeacherByHand) { EXPECT_NEAR(item(at(0.25)), 0.02487, 1e-5); }

TEST_F(JensenShannon, HalfOfEachIsWhatItIsWithoutAShare) {
  const Tensor x = values({1}, {1, 1}), w = values({0, 0}, {2, 1}), wt = values({std::log(3.0F), 0}, {2, 1});
  EXPECT_EQ(item(at(0.5)), item(ops::head_divergence(x, w, x, wt, values({1}), RGM_JENSEN_SHANNON, {}, {})));
}

// As b falls to 0, D / b becomes KL(p, q) = 3/4 log 3/2 + 1/4 log 1/2 = 0.1308; as it rises to 1, D / (1 - b) becomes
// KL(q, p) = 1/2 log 2/3 + 1/2 log 2 = 0.1438.
TEST_F(JensenShannon, AtItsEndsItIsEachOfTheTwoOthers) {
  EXPECT_NEAR(double(item(at(0.002))) / 0.002, 0.1308, 1e-3);
  EXPECT_NEAR(double(item(at(0.998))) / 0.002, 0.1438, 1e-3);
}

TEST_F(JensenShannon, AMixtureHasSomeOfBoth) {
  for (const double share : {0.0, 1.0, -0.5}) EXPECT_THROW(at(share), Error) << share;
}

}  // namespace
}  // namespace rgm::test
