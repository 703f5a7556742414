// divergence_test.cpp - the divergence of Jensen and Shannon with any share of the teacher in its mixture, by hand; and
// what rows of weight 0 cost.
#include <regimen/abi/model.h>

#include <algorithm>
#include <set>

#include "fixture.hpp"
#include "tensor/dry_device.hpp"
#include "tensor/kernel_profile.hpp"

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

// Six rows, of which the second and the fifth count. Student (6, 3) and (7, 3), teacher (6, 2) and (7, 2).
class RowsOfWeightZero : public testing::Test {
 protected:
  struct Found {
    float value;
    std::vector<float> dx, dw;
  };
  static Tensor apart(const Tensor& x, const Tensor& w, const Tensor& xt, const Tensor& weights, int32_t kind) {
    return ops::head_divergence(x, w, xt, sample({7, 2}, 4), weights, kind, {.scale = 0.5}, {.softcap = 2}, 0.3);
  }
  static Found found(const Tensor& weights, int32_t kind) {
    const Tensor x = trained(sample({6, 3}, 1)), w = trained(sample({7, 3}, 2));
    const Tensor y = apart(x, w, sample({6, 2}, 3), weights, kind);
    backward(y);
    return {item(y), to_host(x.take_gradient()), to_host(w.take_gradient())};
  }
  static std::set<std::string> products(const Tensor& weights) {
    const KernelProfile profile(current_device());
    found(weights, RGM_FORWARD_KL);
    std::set<std::string> out;
    for (const auto& [name, time] : profile.times())
      if (name.starts_with("matmul")) out.insert(name);
    return out;
  }
  static Tensor two_of_six() { return values({0, 0.5F, 0, 0, -2, 0}); }
};

// A device that may capture steps, whose weights are therefore not read.
const rgm_backend& backend_that_may_capture() {
  static const rgm_backend table = [] {
    rgm_backend b = reference();
    b.capture_begin = refuse<rgm_queue*>;
    b.capture_end = refuse<rgm_queue*, rgm_captured**>;
    b.replay = refuse<rgm_queue*, rgm_captured*>;
    b.captured_free = [](rgm_device*, rgm_captured*) {};
    return b;
  }();
  return table;
}

TEST_F(RowsOfWeightZero, AreInNoProduct) {
  const OnDevice device;
  EXPECT_THAT(products(ops::full({6}, 1)),
              testing::ElementsAre("matmul 6x2x7", "matmul 6x3x7", "matmul 6x7x3", "matmul 7x6x3"));
  EXPECT_THAT(products(two_of_six()),
              testing::ElementsAre("matmul 2x2x7", "matmul 2x3x7", "matmul 2x7x3", "matmul 7x2x3"));
}

// The unskipped: weights that a gradient is wanted for count all.
TEST_F(RowsOfWeightZero, ChangeNeitherTheValueNorAGradient) {
  const OnDevice device;
  for (const int32_t kind : {RGM_FORWARD_KL, RGM_REVERSE_KL, RGM_JENSEN_SHANNON}) {
    const Found some = found(two_of_six(), kind), all = found(trained(two_of_six()), kind);
    EXPECT_NEAR(some.value, all.value, 1e-6) << kind;
    EXPECT_THAT(some.dx, testing::Pointwise(testing::FloatNear(1e-6F), all.dx)) << kind;
    EXPECT_THAT(some.dw, testing::Pointwise(testing::FloatNear(1e-6F), all.dw)) << kind;
    EXPECT_THAT(std::vector(some.dx.begin(), some.dx.begin() + 3), testing::Each(0));
    EXPECT_THAT(std::vector(some.dx.begin() + 3, some.dx.begin() + 6), testing::Each(testing::Not(0)));
  }
}

TEST_F(RowsOfWeightZero, MayBeAll) {
  const OnDevice device;
  const Found none = found(ops::full({6}, 0), RGM_REVERSE_KL);
  EXPECT_EQ(none.value, 0);
  EXPECT_THAT(none.dx, testing::Each(0));
  EXPECT_THAT(none.dw, testing::Each(0));
}

// A copy of a row is 40 numbers wide and its logits are 7: six go as chunks of 6 / (1 + 40 / 7) = 1.
TEST_F(RowsOfWeightZero, AreLeftOutOfManyChunksToo) {
  const OnDevice device;
  const auto gradients = [](const Tensor& weights) {
    const Tensor x = trained(sample({6, 40}, 1)), w = trained(sample({7, 40}, 2));
    backward(apart(x, w, sample({6, 2}, 3), weights, RGM_JENSEN_SHANNON));
    std::vector<float> out = to_host(x.take_gradient()), dw = to_host(w.take_gradient());
    out.insert(out.end(), dw.begin(), dw.end());
    return out;
  };
  const std::vector<float> all = gradients(trained(two_of_six()));
  const KernelProfile profile(current_device());
  EXPECT_THAT(gradients(two_of_six()), testing::Pointwise(testing::FloatNear(1e-6F), all));
  EXPECT_EQ(profile.times().at("matmul 1x40x7").calls, 2U);
}

// What a captured step reads is what it read when it was captured, so it is the same work for all weights.
TEST_F(RowsOfWeightZero, AreComputedWhereStepsMayBeCaptured) {
  std::vector<Found> here;
  for (const bool captures : {false, true}) {
    const OnDevice device(captures ? backend_that_may_capture() : reference());
    here.push_back(found(two_of_six(), RGM_REVERSE_KL));
    EXPECT_EQ(products(two_of_six()).contains("matmul 6x3x7"), captures);
  }
  EXPECT_NEAR(here[0].value, here[1].value, 1e-6);
  EXPECT_THAT(here[0].dx, testing::Pointwise(testing::FloatNear(1e-6F), here[1].dx));
}

// Beside places, weights and values of the rows, 12 bytes each, in blocks of 256 bytes. A device that only counts knows
// no weights: what it plans is what all rows take.
TEST_F(RowsOfWeightZero, TakeNoMemory) {
  const auto peak = [](int64_t C, int64_t count) {
    std::vector<float> weights(200, 0);
    std::fill_n(weights.begin(), count, 1.0F);
    const Tensor x = trained(sample({200, C}, 1)), w = trained(sample({32, C}, 2)), wt = sample({32, 2 * C}, 4);
    const Tensor xt = sample({200, 2 * C}, 3), given = from_host(std::span<const float>(weights), {200});
    current_device().reset_peak();
    const size_t before = current_device().bytes_in_use();
    ops::head_divergence(x, w, xt, wt, given, RGM_FORWARD_KL, {}, {});
    return current_device().peak_bytes() - before;
  };
  for (const int64_t C : {8, 32, 100}) {
    const OnDevice device;
    const size_t all = peak(C, 200);
    for (const int64_t count : {100, 199}) EXPECT_LE(peak(C, count), all + 3 * 1024) << C << " " << count;
    const std::shared_ptr<Device> real = set_current_device(make_dry_device(current_device()));
    EXPECT_EQ(peak(C, 100), all) << C;
    set_current_device(real);
  }
}

}  // namespace
}  // namespace rgm::test
