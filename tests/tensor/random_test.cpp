// random_test.cpp - random numbers belong to where they are drawn, and can be drawn again.
#include "offered.hpp"

namespace rgm::test {
namespace {

TEST_P(Ops, RandomNumbersBelongToSeedStepMicroBatchSiteAndCall) {
  const auto draw = [](const RandomKey& key, int calls = 0) {
    const RandomScope scope(key);
    for (int i = 0; i < calls; ++i) ops::random({1}, RGM_UNIFORM);
    return to_host(ops::random({4}, RGM_UNIFORM));
  };
  const RandomKey key{.seed = 1, .step = 2, .micro_batch = 3, .site = 4};
  EXPECT_EQ(draw(key), draw(key));
  EXPECT_NE(draw(key), draw({.seed = 2, .step = 2, .micro_batch = 3, .site = 4}));
  EXPECT_NE(draw(key), draw({.seed = 1, .step = 3, .micro_batch = 3, .site = 4}));
  EXPECT_NE(draw(key), draw({.seed = 1, .step = 2, .micro_batch = 4, .site = 4}));
  EXPECT_NE(draw(key), draw({.seed = 1, .step = 2, .micro_batch = 3, .site = 5}));
  EXPECT_NE(draw(key), draw(key, 1));
}

TEST_P(Ops, DrawsOfOneSiteDoNotMoveThoseOfAnother) {
  const auto draw_at_two = [](int draws_at_one) {
    const RandomScope scope({.seed = 1});
    {
      const SiteScope one(1);
      for (int i = 0; i < draws_at_one; ++i) ops::random({1}, RGM_UNIFORM);
    }
    const SiteScope two(2);
    return to_host(ops::random({4}, RGM_UNIFORM));
  };
  EXPECT_EQ(draw_at_two(0), draw_at_two(3));
  const RandomScope scope({.seed = 1});
  const auto at_one = [] {
    const SiteScope one(1);
    return to_host(ops::random({4}, RGM_UNIFORM));
  };
  const auto first = at_one();
  EXPECT_NE(first, at_one());
}

TEST_P(Ops, DrawsAreRepeatedFromAnEarlierStateAndGoOnAfterwards) {
  const auto draw = [] { return to_host(ops::random({4}, RGM_UNIFORM)); };
  const RandomScope scope({.seed = 1});
  const auto first = draw();
  const RandomState state = random_state();
  const auto second = draw();
  {
    const RandomScope same(state.key, state.calls);
    EXPECT_EQ(draw(), second);
  }
  const auto third = draw();
  const RandomScope anew({.seed = 1});
  EXPECT_EQ(draw(), first);
  EXPECT_EQ(draw(), second);
  EXPECT_EQ(draw(), third);
}

TEST_P(Ops, DropoutKeepsTheMean) {
  const Tensor x = ops::full({20000}, 1);
  const std::vector<float> y = to_host(ops::dropout(x, 0.25));
  double sum = 0;
  for (const float v : y) {
    EXPECT_TRUE(v == 0 || std::abs(v - 4.0f / 3) < 1e-6);
    sum += v;
  }
  EXPECT_NEAR(sum / 20000, 1, 0.02);  // three deviations of the mean are 0.012
  const NoGradient no_gradient;
  EXPECT_EQ(ops::dropout(x, 0.25).get(), x.get());
}

}  // namespace
}  // namespace rgm::test
