// numbers_test.cpp - the reference against numbers that can be checked by hand.
#include <gmock/gmock.h>

#include <limits>
#include <tuple>

#include "numbers.hpp"

namespace rgm::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::IsNan;

TEST_F(Reference, SoftmaxOfTwoEqualLogitsIsOneHalfEach) {
  Floats x{7, 7}, y(2);
  const rgm_view vx = floats(x, {2}), vy = floats(y, {2});
  ASSERT_EQ(k_.softmax(nullptr, 0, &vx, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(0.5f, 0.5f));
}

TEST_F(Reference, SoftmaxOfHugeLogitsDoesNotOverflow) {
  Floats x{1e30f, -1e30f}, y(2);
  const rgm_view vx = floats(x, {2}), vy = floats(y, {2});
  ASSERT_EQ(k_.softmax(nullptr, 0, &vx, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(1, 0));
}

TEST_F(Reference, LayerNormOfOneAndThreeIsMinusOneAndOne) {
  Floats x{1, 3}, w{1, 10}, b{0, 5}, y(2), mean(1), rstd(1);
  const rgm_view vx = floats(x, {1, 2}), vw = floats(w, {2}), vb = floats(b, {2}), vy = floats(y, {1, 2});
  const rgm_view vm = floats(mean, {1}), vr = floats(rstd, {1});
  rgm_norm args{};
  args.struct_size = sizeof args;
  args.features = RGM_NORM_MEAN | RGM_NORM_BIAS;
  args.x = &vx, args.w = &vw, args.b = &vb, args.y = &vy, args.mean = &vm, args.rstd = &vr;
  ASSERT_EQ(k_.norm(nullptr, &args), RGM_OK);
  EXPECT_THAT(y, ElementsAre(-1, 15));
  EXPECT_THAT(mean, ElementsAre(2));
  EXPECT_THAT(rstd, ElementsAre(1));
}

TEST_F(Reference, RmsNormOfThreeAndFourDividesByTheRootOfTwelveAndAHalf) {
  Floats x{3, 4}, w{1, 1}, y(2), rstd(1);
  const rgm_view vx = floats(x, {1, 2}), vw = floats(w, {2}), vy = floats(y, {1, 2}), vr = floats(rstd, {1});
  rgm_norm args{};
  args.struct_size = sizeof args;
  args.x = &vx, args.w = &vw, args.y = &vy, args.rstd = &vr;
  ASSERT_EQ(k_.norm(nullptr, &args), RGM_OK);
  EXPECT_THAT(y, ElementsAre(FloatNear(3 / std::sqrt(12.5f), 1e-6f), FloatNear(4 / std::sqrt(12.5f), 1e-6f)));
}

TEST_F(Reference, FirstStepOfAdamWIsTheRateAgainstTheSign) {
  Floats g{0.5f, -20, 0}, p{1, 1, 1}, m(3), v(3);
  Floats hyper{0.125f, 0.9f, 0.999f, 0, 0, 1 - 0.9f, 1 - 0.999f, 1};
  hyper[3] = 1e-12f;  // a gradient of 0 must not divide by 0
  const rgm_view vg = floats(g, {3}), vp = floats(p, {3}), vm = floats(m, {3}), vv = floats(v, {3});
  const rgm_view vh = floats(hyper, {8});
  const rgm_adamw item{sizeof(rgm_adamw), 0, &vg, &vp, &vm, &vv, nullptr, nullptr};
  const rgm_adamw* items[] = {&item};
  ASSERT_EQ(k_.adamw(nullptr, &vh, 1, items), RGM_OK);
  EXPECT_THAT(p, ElementsAre(FloatNear(0.875f, 1e-6f), FloatNear(1.125f, 1e-6f), 1));
}

TEST_F(Reference, WeightDecayOfAdamWDoesNotPassThroughTheMoments) {
  Floats g{0}, p{2}, m(1), v(1), hyper{0.5f, 0.9f, 0.999f, 1e-8f, 0.25f, 0.1f, 0.001f, 1};
  const rgm_view vg = floats(g, {1}), vp = floats(p, {1}), vm = floats(m, {1}), vv = floats(v, {1});
  const rgm_view vh = floats(hyper, {8});
  const rgm_adamw item{sizeof(rgm_adamw), 0, &vg, &vp, &vm, &vv, nullptr, nullptr};
  const rgm_adamw* items[] = {&item};
  ASSERT_EQ(k_.adamw(nullptr, &vh, 1, items), RGM_OK);
  EXPECT_THAT(p, ElementsAre(1.75f));  // 2 (1 - 0.5 * 0.25)
  EXPECT_THAT(m, ElementsAre(0));
}

// Random123's known answers of philox4x32-10 (kat_vectors): zeros, ones, the digits of pi.
TEST_F(Reference, PhiloxGivesTheKnownAnswers) {
  struct Answer {
    std::vector<uint32_t> key_and_counter, words;
  };
  const Answer answers[] = {{{0, 0, 0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                            {{~0u, ~0u, ~0u, ~0u, ~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                            {{0xa4093822, 0x299f31d0, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                             {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (const Answer& answer : answers) {
    std::vector<int32_t> key(answer.key_and_counter.begin(), answer.key_and_counter.end()), y(4);
    const rgm_view vk = integers(key, {6}), vy = integers(y, {4});
    ASSERT_EQ(k_.random(nullptr, &vk, RGM_BITS, &vy), RGM_OK);
    EXPECT_EQ(std::vector<uint32_t>(y.begin(), y.end()), answer.words);
  }
}

TEST_F(Reference, TheNextBlockCarriesIntoTheUpperWords) {
  std::vector<int32_t> low{3, 4, -1, -1, 7, 0}, high{3, 4, 0, 0, 8, 0}, two(8), one(4);
  const rgm_view vl = integers(low, {6}), vh = integers(high, {6}), v2 = integers(two, {8}), v1 = integers(one, {4});
  ASSERT_EQ(k_.random(nullptr, &vl, RGM_BITS, &v2), RGM_OK);
  ASSERT_EQ(k_.random(nullptr, &vh, RGM_BITS, &v1), RGM_OK);
  EXPECT_EQ(std::vector<int32_t>(two.begin() + 4, two.end()), one);
}

TEST_F(Reference, NormalDrawsHaveMeanZeroAndDeviationOne) {
  std::vector<int32_t> key{1, 2, 0, 0, 0, 0};
  Floats y(40000);
  const rgm_view vk = integers(key, {6}), vy = floats(y, {40000});
  ASSERT_EQ(k_.random(nullptr, &vk, RGM_NORMAL, &vy), RGM_OK);
  double sum = 0;
  for (float v : y) sum += v;
  EXPECT_NEAR(sum / 40000, 0, 0.02);  // four standard errors
  EXPECT_NEAR(dot(y, y) / 40000, 1, 0.03);
}

TEST_F(Reference, ScatterAddMeetsItselfAtOnePlace) {
  Floats x{1, 2, 4}, y{10, 20};
  std::vector<int32_t> index{1, 1, 0};
  const rgm_view vx = floats(x, {3}), vy = floats(y, {2}), vi = integers(index, {3});
  ASSERT_EQ(k_.scatter_add(nullptr, 0, &vi, &vx, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(14, 23));
}

TEST_F(Reference, AnIndexOutsideIsRefusedBeforeAnythingIsWritten) {
  Floats x{1, 2}, y{5, 5};
  std::vector<int32_t> index{0, 2};
  const rgm_view vx = floats(x, {2}), vy = floats(y, {2}), vi = integers(index, {2});
  EXPECT_EQ(k_.gather(nullptr, 0, &vx, &vi, &vy), RGM_INVALID);
  EXPECT_EQ(last_failure(), "gather: index 2 of an axis of 2");
  EXPECT_THAT(y, ElementsAre(5, 5));
}

TEST_F(Reference, TopKTakesEqualOnesByIndex) {
  Floats x{1, 3, 3, 2}, y(3);
  std::vector<int32_t> index(3);
  const rgm_view vx = floats(x, {4}), vy = floats(y, {3}), vi = integers(index, {3});
  ASSERT_EQ(k_.top_k(nullptr, &vx, &vy, &vi), RGM_OK);
  EXPECT_THAT(y, ElementsAre(3, 3, 2));
  EXPECT_THAT(index, ElementsAre(1, 2, 3));
}

// By the formula of rgm_sample -1.9375 counts 158399660032, of 2^40; where products and sums round in one, 16384 more.
TEST_F(Reference, AProbabilityCountsAsTheContractSaysToTheBit) {
  Floats x{-1.9375f, -2}, logprobs(1);
  std::vector<int32_t> draws(1), tokens(1);
  const rgm_view vx = floats(x, {1, 2}), vd = integers(draws, {1}), vt = integers(tokens, {1}),
                 vl = floats(logprobs, {1});
  const rgm_sample args{sizeof(rgm_sample), 0, 0, 1, &vx, &vd, &vt, &vl, 0};
  constexpr int32_t behind = 158399660032 / 256;  // the first draw of 2^32 that is behind them
  for (const int32_t token : {0, 1}) {
    draws[0] = behind - 1 + token;
    ASSERT_EQ(k_.sample(nullptr, &args), RGM_OK);
    EXPECT_EQ(tokens[0], token);
  }
}

// Of -4, -2, -3 and -2, the last draw of all. -2 - 1 is -3, which floats hold, so that -3 is likely enough.
TEST_F(Reference, MinPLeavesWhatIsNoFurtherBehindTheLargest) {
  Floats x{-4, -2, -3, -2}, logprobs(1);
  std::vector<int32_t> draws{-1}, tokens(1);
  const rgm_view vx = floats(x, {1, 4}), vd = integers(draws, {1}), vt = integers(tokens, {1}),
                 vl = floats(logprobs, {1});
  rgm_sample args{sizeof(rgm_sample), RGM_SAMPLE_MIN_P, 0, 1, &vx, &vd, &vt, &vl, 0};
  for (const auto& [log_min_p, top_k, token] :
       {std::tuple{-3.0, 0, 0}, {-1.0, 0, 2}, {-0.999, 0, 3}, {0.0, 0, 3}, {-1.0, 2, 3}, {0.0, 1, 1}}) {
    args.log_min_p = log_min_p, args.top_k = top_k;
    ASSERT_EQ(k_.sample(nullptr, &args), RGM_OK);
    EXPECT_EQ(tokens[0], token) << log_min_p << ' ' << top_k;
  }
}

TEST_F(Reference, HeadLossOfEqualLogitsIsMinusLogV) {
  Floats x{0, 0}, w{1, 2, 3, 4, 5, 6, 7, 8}, logprobs(1), entropy(1);
  std::vector<int32_t> targets{2};
  const rgm_view vx = floats(x, {1, 2}), vw = floats(w, {4, 2}), vt = integers(targets, {1});
  const rgm_view vl = floats(logprobs, {1}), ve = floats(entropy, {1});
  rgm_head_loss args{};
  args.struct_size = sizeof args;
  args.features = RGM_HEAD_ENTROPY;
  args.scale = 1;
  args.x = &vx, args.w = &vw, args.targets = &vt, args.logprobs = &vl, args.entropy = &ve;
  ASSERT_EQ(k_.head_loss(nullptr, &args), RGM_OK);
  EXPECT_FLOAT_EQ(logprobs[0], -std::log(4.f));
  EXPECT_FLOAT_EQ(entropy[0], std::log(4.f));
}

TEST_F(Reference, RopeByAQuarterTurnSwapsThePair) {
  Floats x{1, 2, 9}, cos{1, 0}, sin{0, 1}, y(3);  // R is 2, the third element is copied
  std::vector<int32_t> positions{1};
  const rgm_view vx = floats(x, {1, 1, 1, 3}), vc = floats(cos, {2, 1}), vs = floats(sin, {2, 1});
  const rgm_view vp = integers(positions, {1, 1}), vy = floats(y, {1, 1, 1, 3});
  const rgm_rope args{sizeof(rgm_rope), 0, &vx, &vp, &vc, &vs, &vy};
  ASSERT_EQ(k_.rope(nullptr, &args), RGM_OK);
  EXPECT_THAT(y, ElementsAre(-2, 1, 9));
}

TEST_F(Reference, MatmulMayReplaceGarbage) {
  Floats a{1, 2, 3, 4}, b{5, 6, 7, 8}, y(4, std::numeric_limits<float>::quiet_NaN());
  const rgm_view va = floats(a, {2, 2}), vb = floats(b, {2, 2}), vy = floats(y, {2, 2});
  ASSERT_EQ(k_.matmul(nullptr, 1, &va, &vb, 0, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(19, 22, 43, 50));
  ASSERT_EQ(k_.matmul(nullptr, 2, &va, &vb, 1, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(57, 66, 129, 150));
}

TEST_F(Reference, SelectKeepsNaNOut) {
  Floats a{1, NAN}, b{NAN, 2}, y(2);
  std::vector<uint8_t> c{1, 0};
  const rgm_view vc = view_of(c.data(), RGM_BOOL, {2}), va = floats(a, {2}), vb = floats(b, {2}), vy = floats(y, {2});
  ASSERT_EQ(k_.select(nullptr, &vc, &va, &vb, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(1, 2));
}

TEST_F(Reference, ExtremaAndReluKeepNaN) {
  Floats a{NAN, 1, -1}, b{2, NAN, 2}, y(3), most(1);
  const rgm_view va = floats(a, {3}), vb = floats(b, {3}), vy = floats(y, {3}), vm = floats(most, {1});
  ASSERT_EQ(k_.binary(nullptr, RGM_MIN, &va, &vb, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(IsNan(), IsNan(), -1));
  ASSERT_EQ(k_.binary(nullptr, RGM_MAX, &va, &vb, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(IsNan(), IsNan(), 2));
  ASSERT_EQ(k_.unary(nullptr, RGM_RELU, &va, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(IsNan(), 1, 0));
  ASSERT_EQ(k_.reduce(nullptr, RGM_MAXIMUM, 1, &vb, &vm), RGM_OK);
  EXPECT_THAT(most, ElementsAre(IsNan()));
}

TEST_F(Reference, AnIntegerDividedByZeroIsZero) {
  std::vector<int32_t> a{7, 7, INT32_MIN}, b{0, -2, -1}, y(3);
  const rgm_view va = integers(a, {3}), vb = integers(b, {3}), vy = integers(y, {3});
  ASSERT_EQ(k_.binary(nullptr, RGM_DIV, &va, &vb, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(0, -3, INT32_MIN));
}

TEST_F(Reference, FloatsToIntegersTruncate) {
  Floats x{1.9f, -1.9f, 3e9f, NAN};
  std::vector<int32_t> y(4);
  const rgm_view vx = floats(x, {4}), vy = integers(y, {4});
  ASSERT_EQ(k_.copy(nullptr, &vx, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(1, -1, INT32_MAX, 0));
}

}  // namespace
}  // namespace rgm::conformance
