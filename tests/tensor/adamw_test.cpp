// adamw_test.cpp - steps of AdamW, with moments in float32 and in bfloat16.
#include <numeric>

#include "offered.hpp"

namespace rgm::test {
namespace {

TEST_P(Ops, AdamWFirstStepIsTheRate) {
  const Tensor p = values({1, -1}), m = ops::full({2}, 0), v = ops::full({2}, 0), g = values({0.5, -2});
  const Tensor hyper = values({0.1f, 0.9f, 0.99f, 0, 0.5f, 0.1f, 0.01f, 1});
  const ops::AdamWItem items[] = {{g, p, m, v}};
  ops::adamw(hyper, items);
  // 1 - 0.1 * 0.5 * 1 - 0.1 * sign(g)
  EXPECT_NEAR(to_host(p)[0], 0.85, 1e-6);
  EXPECT_NEAR(to_host(p)[1], -0.85, 1e-6);
  EXPECT_NEAR(to_host(m)[0], 0.05, 1e-6);
  EXPECT_NEAR(to_host(v)[1], 0.04, 1e-6);
}

// A mean over 1,000 steps of ones: 1 - 0.999^1000 = 0.632 of the way. In bfloat16 a step of 0.001 vanishes beside 0.5,
// whose neighbour is 0.504, unless now and then it is rounded up.
TEST_P(Ops, MomentsInBfloat16AreRoundedWithoutBias) {
  const Tensor p = ops::full({64}, 1), g = ops::full({64}, 1);
  const Tensor m = ops::full({64}, 0, RGM_BF16), v = ops::full({64}, 0, RGM_BF16);
  const Tensor hyper = values({0, 0.999f, 0.999f, 1e-8f, 0, 1, 1, 1});
  const ops::AdamWItem same[] = {{g, p, m, v, {}, ops::full({}, 5, RGM_I32)}};
  if (!ops::has_narrow_adamw()) {
    EXPECT_THROW(ops::adamw(hyper, same), Error);
    return;
  }
  for (int32_t step = 0; step < 1000; ++step) {
    const ops::AdamWItem item{g, p, m, v, {}, ops::reshape(indices({step * 7919}), {})};
    ops::adamw(hyper, std::span(&item, 1));
  }
  for (const Tensor& moments : {m, v}) {
    const auto all = to_host(moments);
    EXPECT_NEAR(std::accumulate(all.begin(), all.end(), 0.0) / 64, 0.632, 0.01);
    EXPECT_NE(all[0], all[1]);
  }
  EXPECT_NE(to_host(m), to_host(v));  // of other bits
  const Tensor m2 = ops::contiguous(ops::cast(m, RGM_F32)), v2 = ops::cast(v, RGM_F32);
  ops::adamw(hyper, same);
  const auto once = to_host(m);
  assign(m, m2), assign(v, v2);
  ops::adamw(hyper, same);
  EXPECT_EQ(to_host(m), once);
}

}  // namespace
}  // namespace rgm::test
