// teachers_test.cpp - students of a teacher: another model, or one that follows them.
#include <cstdlib>

#include "contract/contract.hpp"

namespace rgm {
namespace {

TEST_F(Contract, ATeacherIsReadWithItsAdapters) {
  const auto pupil = [](const std::string& teacher) {
    return "  - {name: student, strategy: {distill: {divergence: forward, share: 1}}, teacher: {from: " + teacher +
           "}, model: {from: base}, data: {train: {text: text.txt}}, steps: 1, batch: 4}\n";
  };
  ASSERT_EQ(run({}, base() + adapted("lora: {rank: 4}") + pupil("base")), 0) << said_;
  EXPECT_NEAR(result("student").at("loss").get<double>(), 0, 1e-5);  // it is its own teacher
  ASSERT_EQ(run({}, base() + adapted("lora: {rank: 4}") + pupil("adapted")), 0) << said_;
  EXPECT_GT(result("student").at("loss").get<double>(), 1e-3);
}

TEST_F(Contract, ATeacherPullsItsStudent) {
  ASSERT_EQ(run({}, base(60) + "  - {name: student, strategy: {distill: {divergence: forward, share: 1}}, teacher: "
                               "{from: base}, model: {family: gpt2, layers: 1, heads: 2, channels: 16, context: 32}, "
                               "tokenizer: bytes, data: {train: {text: text.txt}}, optimizer: {adamw: {learning_rate: "
                               "5e-3}}, steps: 25, batch: 4, log: {every: 1}}\n"),
            0)
      << said_;
  expect_falls("student", "loss", 0.3);
}

// A teacher that keeps nothing of itself is the student of the step before; one that does lags behind. So it is in a
// model of its own, and where the two share a base and have adapters of their own.
TEST_F(Contract, ATeacherFollowsItsStudent) {
  const auto taught = [](const std::string& name, const std::string& decay, const std::string& more) {
    return "  - {name: " + name + ", strategy: {mean_teacher: {decay: " + decay +
           "}}, model: {from: base}, data: {train: {text: other.txt}}, optimizer: {adamw: {learning_rate: 1e-2}}, "
           "steps: 3, batch: 2, log: {every: 1}" +
           more + "}\n";
  };
  const std::string adapted = ", adapter: {lora: {rank: 2}}";
  ASSERT_EQ(run({"mean_teacher"}, base(2) + taught("own-0", "0", "") + taught("own-9", "0.9", "") +
                                      taught("shared-0", "0", adapted) + taught("shared-9", "0.9", adapted)),
            0)
      << said_;
  for (const std::string base : {"own", "shared"}) {
    const std::vector<double> none = curve(base + "-0", "apart"), some = curve(base + "-9", "apart");
    ASSERT_EQ(none.size(), 3U) << said_;
    for (const double apart : none) EXPECT_NEAR(apart, 0, 1e-6) << base;
    EXPECT_NEAR(some[0], 0, 1e-6) << "it starts as the student";
    for (const double apart : {some[1], some[2]}) EXPECT_GT(apart, 1e-6) << base;
  }
}

TEST_F(Contract, ATeacherThatFollowsGoesOnFromItsCheckpoint) {
  const std::string stages =
      base(2) +
      "  - {name: taught, strategy: mean_teacher, model: {from: base}, adapter: {lora: {rank: 2}}, data: {train: "
      "{text: other.txt}}, checkpoint: {every: 2}, steps: 6, batch: 2}\n";
  ASSERT_EQ(run({"mean_teacher"}, stages, "whole"), 0) << said_;
  ::setenv("REGIMEN_FIXTURE_CRASH_AT", "5", 1);
  EXPECT_NE(run({"mean_teacher"}, stages, "crashed"), 0);
  ::unsetenv("REGIMEN_FIXTURE_CRASH_AT");
  ASSERT_EQ(run({"mean_teacher"}, stages, "crashed"), 0) << said_;
  EXPECT_TRUE(said("resumed at step 4")) << said_;
  const std::string file = "/taught/adapter/adapter_model.safetensors";
  EXPECT_EQ(hash_of("crashed" + file), hash_of("whole" + file));
}

}  // namespace
}  // namespace rgm
