// attention_test.cpp - what the reference's attention lets a query see, with numbers that can be checked by hand.
#include <gmock/gmock.h>

#include "numbers.hpp"

namespace rgm::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

TEST_F(Reference, AttentionOverOneKeyIsItsValue) {
  Floats q{5, -3}, k{2, 9}, v{0.25f, -8}, y(2), lse(1);
  const rgm_view vq = floats(q, {1, 1, 1, 2}), vk = floats(k, {1, 1, 1, 2}), vv = floats(v, {1, 1, 1, 2});
  const rgm_view vy = floats(y, {1, 1, 1, 2}), vl = floats(lse, {1, 1, 1});
  rgm_attention args{};
  args.struct_size = sizeof args;
  args.features = RGM_ATTENTION_CAUSAL;
  args.scale = 1;
  args.q = &vq, args.k = &vk, args.v = &vv, args.y = &vy, args.lse = &vl;
  ASSERT_EQ(k_.attention(nullptr, &args), RGM_OK);
  EXPECT_THAT(y, ElementsAre(0.25f, -8));
  EXPECT_THAT(lse, ElementsAre(-17));  // q . k alone
}

TEST_F(Reference, AttentionOfAQueryThatIsNaNIsNaN) {
  Floats q{NAN}, k{2}, v{3}, y(1), lse(1);
  const rgm_view vq = floats(q, {1, 1, 1, 1}), vk = floats(k, {1, 1, 1, 1}), vv = floats(v, {1, 1, 1, 1});
  const rgm_view vy = floats(y, {1, 1, 1, 1}), vl = floats(lse, {1, 1, 1});
  rgm_attention args{};
  args.struct_size = sizeof args;
  args.scale = 1;
  args.q = &vq, args.k = &vk, args.v = &vv, args.y = &vy, args.lse = &vl;
  ASSERT_EQ(k_.attention(nullptr, &args), RGM_OK);
  EXPECT_THAT(y, ElementsAre(testing::IsNan()));
  EXPECT_THAT(lse, ElementsAre(testing::IsNan()));
}

// q is 0, so that every key a query sees weighs the same and y is the mean of their values.
class SeenKeys : public Reference {
 protected:
  Floats see(rgm_attention args, int64_t Tq, std::vector<int32_t> q_segments = {}, std::vector<int32_t> k_segments = {},
             std::vector<int32_t> lengths = {}) {
    Floats q(static_cast<size_t>(Tq)), k(4), v{1, 2, 4, 8}, y(q.size()), lse(q.size());
    const rgm_view vq = floats(q, {1, Tq, 1, 1}), vk = floats(k, {1, 4, 1, 1}), vv = floats(v, {1, 4, 1, 1});
    const rgm_view vy = floats(y, {1, Tq, 1, 1}), vl = floats(lse, {1, 1, Tq});
    const rgm_view vqs = integers(q_segments, {1, Tq}), vks = integers(k_segments, {1, 4});
    const rgm_view vn = integers(lengths, {1});
    args.struct_size = sizeof args;
    args.scale = 1;
    args.q = &vq, args.k = &vk, args.v = &vv, args.y = &vy, args.lse = &vl;
    args.q_segments = &vqs, args.k_segments = &vks, args.k_lengths = &vn;
    EXPECT_EQ(k_.attention(nullptr, &args), RGM_OK);
    return y;
  }
  static rgm_attention with(uint32_t features, int64_t window = 0, int64_t prefix = 0) {
    rgm_attention a{};
    a.features = features;
    a.window = window;
    a.prefix = prefix;
    return a;
  }
};

TEST_F(SeenKeys, CausalQueriesSeeWhatIsBeforeThem) {
  EXPECT_THAT(see(with(RGM_ATTENTION_CAUSAL), 4), ElementsAre(1, 1.5f, FloatNear(7.f / 3, 1e-6f), 3.75f));
}
TEST_F(SeenKeys, TheLastQueryStandsAtTheLastKey) {
  EXPECT_THAT(see(with(RGM_ATTENTION_CAUSAL), 2), ElementsAre(FloatNear(7.f / 3, 1e-6f), 3.75f));
}
TEST_F(SeenKeys, AWindowOfTwoIsItselfAndTheOneBefore) {
  EXPECT_THAT(see(with(RGM_ATTENTION_CAUSAL | RGM_ATTENTION_WINDOW, 2), 4), ElementsAre(1, 1.5f, 3, 6));
}
TEST_F(SeenKeys, AWindowDoesNotHideThePrefix) {
  EXPECT_THAT(see(with(RGM_ATTENTION_CAUSAL | RGM_ATTENTION_WINDOW | RGM_ATTENTION_PREFIX, 1, 1), 4),
              ElementsAre(1, 1.5f, 2.5f, 4.5f));
}
TEST_F(SeenKeys, SegmentsSeeThemselvesAndPaddingNothing) {
  EXPECT_THAT(see(with(RGM_ATTENTION_SEGMENTS), 4, {1, 2, 2, 0}, {1, 2, 2, 0}), ElementsAre(1, 3, 3, 0));
}
TEST_F(SeenKeys, EverySegmentSeesThePrefixButPaddingDoesNot) {
  EXPECT_THAT(see(with(RGM_ATTENTION_SEGMENTS | RGM_ATTENTION_PREFIX, 0, 1), 3, {1, 2, 0}, {0, 1, 2, 0}),
              ElementsAre(1.5f, 2.5f, 0));
}
TEST_F(SeenKeys, KeysBehindTheLengthDoNotExist) {
  EXPECT_THAT(see(with(RGM_ATTENTION_LENGTHS), 1, {}, {}, {2}), ElementsAre(1.5f));
  EXPECT_THAT(see(with(RGM_ATTENTION_LENGTHS | RGM_ATTENTION_CAUSAL), 2, {}, {}, {2}), ElementsAre(1, 1.5f));
}

}  // namespace
}  // namespace rgm::conformance
