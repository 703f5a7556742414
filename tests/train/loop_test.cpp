// loop_test.cpp - the loop of a stage, whose strategy lowers one weight: each step is better than the one before.
#include <sstream>

#include "artefact/folder.hpp"
#include "base/json.hpp"
#include "model/small.hpp"
#include "train/few_units.hpp"
#include "train/trainer.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

// Examples without columns.
class Nothing : public FewUnits {
 public:
  explicit Nothing(int64_t units = 1) : units_(units) {}
  int64_t units() const override { return units_; }
  Batch in_order(int64_t begin, int64_t end) const override {
    Batch out;
    out.examples = end - begin;
    return out;
  }

 private:
  int64_t units_;
};

class LoweredWeight : public TensorTest {
 protected:
  static inline const Tensor* weight = nullptr;

  LoweredWeight() {
    const std::vector<float> one = {1};
    weight_ = parameters_.add("weight", from_host(std::span<const float>(one), {1}), true).value;
    weight = &weight_;
    strategy_.struct_size = sizeof strategy_;
    strategy_.roles = no_roles_;
    strategy_.create = [](const rgm_config*, void**) -> rgm_status { return RGM_OK; };
    strategy_.destroy = [](void*) {};
    strategy_.loss = [](void*, rgm_train*, rgm_batch*, rgm_tensor** out) -> rgm_status {
      *out = ops::sum(*weight).release();
      return RGM_OK;
    };
    train_.stage = "s";
    train_.policy = small_model();
    setup_.strategy = &strategy_;
    setup_.strategy_name = "strategy \"lowering\"";
    setup_.train = &train_;
    setup_.parameters = {&parameters_};
    setup_.main_source = "train";
    for (const char* name : {"train", "validation"}) setup_.sources[name] = std::make_unique<Nothing>();
    setup_.folder = folder_.path();
    setup_.settings.optimizer.kind = "sgd";
    setup_.settings.optimizer.learning_rate = 0.25;
    setup_.settings.clip = 0;
    setup_.settings.batch = 1;
    setup_.settings.steps = 2;
    setup_.settings.evaluate_every = 1;
    setup_.settings.keep = "best";
  }
  // In place of the loss: the weight, under this name.
  void evaluate_as(const char* name) {
    measured = name;
    strategy_.evaluate = [](void*, rgm_train* train, rgm_batch*) -> rgm_status {
      add_metric(*train, measured, ops::sum(*weight), {});
      return RGM_OK;
    };
  }
  nlohmann::json result() {
    testing::internal::CaptureStderr();
    const TrainResult trained = train(setup_);
    said_ = testing::internal::GetCapturedStderr();
    return trained.result;
  }
  std::vector<int64_t> evaluated_steps() const {
    std::vector<int64_t> out;
    std::istringstream lines(read_file(folder_ / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);)
      if (const nlohmann::json one = parse_json(line); !one.contains("loss")) out.push_back(one.at("step"));
    return out;
  }

  static inline const char* measured = "";
  std::string said_;
  Folder folder_;
  const rgm_role* no_roles_[1] = {nullptr};
  Parameters parameters_;
  Tensor weight_;
  rgm_strategy strategy_{};
  rgm_train train_;
  TrainSetup setup_;
};

// From 1 by a quarter a step.
TEST_F(LoweredWeight, TheBestIsKept) {
  const TrainResult trained = train(setup_);
  EXPECT_EQ(trained.result.at("validation_loss"), 0.5);
  EXPECT_EQ(trained.result.at("best_step"), 2);
  EXPECT_TRUE(fs::exists(folder_ / "best.safetensors"));
}

TEST_F(LoweredWeight, TheBestIsByTheNumberThatIsNamed) {
  evaluate_as("height");
  setup_.settings.best_by = "height";
  setup_.settings.highest_is_best = true;
  EXPECT_EQ(result().at("best_step"), 1);
  EXPECT_EQ(item(weight_), 0.75);
  setup_.settings.highest_is_best = false;
  setup_.settings.best_by = "validation_height";  // as the line of an evaluation calls it
  const nlohmann::json lowest = result();
  EXPECT_EQ(lowest.at("best_step"), 2);
  EXPECT_EQ(lowest.at("height"), 0.25);
}

// While steps are left, nothing is lost but those so far.
TEST_F(LoweredWeight, ANumberThatNoEvaluationReportsIsTold) {
  evaluate_as("accuracy");
  setup_.settings.best_by = "acuracy";
  setup_.settings.highest_is_best = true;
  EXPECT_THAT([&] { train(setup_); },
              ThrowsMessage<Error>(HasSubstr("keep: {best: acuracy} names a number that the evaluation after step 1 "
                                             "does not report; did you mean \"accuracy\"?; it reports: accuracy")));
  setup_.settings.evaluate_every = 0;
  EXPECT_FALSE(result().contains("best_step"));
  EXPECT_THAT(said_, HasSubstr("the evaluation after step 2 does not report"));
  EXPECT_THAT(said_, HasSubstr("The last weights are kept"));
}

// Its accuracy falls: 0.75, 0.5, 0.25.
TEST_F(LoweredWeight, PatienceEndsTheStage) {
  evaluate_as("accuracy");
  setup_.settings.steps = 10;
  setup_.settings.patience = 2;
  setup_.settings.keep = "last";
  const nlohmann::json last = result();
  EXPECT_THAT(said_, HasSubstr("s: ends after step 3: the last 2 evaluations were no better than that of step 1, "
                               "accuracy 0.7500"));
  EXPECT_EQ(last.at("steps"), 3);
  EXPECT_EQ(last.at("accuracy"), 0.25);
  EXPECT_EQ(last.at("loss"), 0.5) << "of the last step, which has a line";
  EXPECT_FALSE(last.contains("best_step"));
  EXPECT_EQ(item(weight_), 0.25);
}

TEST_F(LoweredWeight, PatienceAndTheBestWeightsGoByTheSameNumber) {
  evaluate_as("accuracy");
  setup_.settings.steps = 10;
  setup_.settings.patience = 1;
  const nlohmann::json best = result();
  EXPECT_THAT(said_, HasSubstr("s: ends after step 2: the last evaluation was no better than that of step 1"));
  EXPECT_EQ(best.at("steps"), 2);
  EXPECT_EQ(best.at("best_step"), 1);
  EXPECT_EQ(item(weight_), 0.75);
}

TEST_F(LoweredWeight, WhatGetsBetterGoesOn) {
  setup_.settings.patience = 1;
  EXPECT_EQ(result().at("steps"), 2);
  EXPECT_THAT(said_, Not(HasSubstr("ends after step")));
}

// Before step 3 there are two evaluations, and only one of them can be no better than another.
TEST_F(LoweredWeight, PatienceThatEndsNothingIsTold) {
  setup_.settings.patience = 2;
  setup_.settings.steps = 3;
  result();
  EXPECT_THAT(said_, HasSubstr("s: patience: 2 cannot end the stage early: for that it takes 3 evaluations before the "
                               "last step, and there are 2"));
  setup_.settings.steps = 4;
  result();
  EXPECT_THAT(said_, Not(HasSubstr("cannot end the stage early")));
}

// After step 2 one evaluation was no better, after step 3 two were, and the checkpoint says so.
TEST_F(LoweredWeight, PatienceSurvivesAnInterruption) {
  evaluate_as("accuracy");
  setup_.settings.steps = 10;
  setup_.settings.patience = 2;
  setup_.settings.checkpoint_every = 1;
  for (const int64_t last : {2, 3}) {
    setup_.after_step = [last](int64_t step, int64_t) {
      if (step == last) failure("stopped");
      return true;
    };
    EXPECT_THAT([&] { train(setup_); }, ThrowsMessage<Error>(HasSubstr("stopped")));
  }
  setup_.after_step = {};
  EXPECT_EQ(result().at("steps"), 3);
  EXPECT_THAT(said_, HasSubstr("s: ends after step 3"));
  EXPECT_EQ(item(weight_), 0.75) << "the best is kept";
}

TEST_F(LoweredWeight, WithNothingToGoByEveryStepIsTaken) {
  strategy_.evaluate = [](void*, rgm_train* train, rgm_batch*) -> rgm_status {
    add_metric(*train, "reward", ops::full({}, 0), ops::full({}, 0));
    return RGM_OK;
  };
  setup_.settings.keep = "last";
  setup_.settings.patience = 1;
  setup_.settings.steps = 4;
  EXPECT_EQ(result().at("steps"), 4);
  EXPECT_THAT(said_, HasSubstr("reported no validation loss, accuracy or reward for patience to go by"));
}

TEST_F(LoweredWeight, WhatElseThereIsToGoByIsTold) {
  evaluate_as("divergence");
  EXPECT_FALSE(result().contains("best_step"));
  EXPECT_THAT(said_, HasSubstr("no validation loss, accuracy or reward for keep: best to go by; if no evaluation has "
                               "one, the last weights are kept; it can go by one of these with keep: {best: NAME}: "
                               "divergence"));
}

// 10 examples are 2.5 steps of 4.
TEST_F(LoweredWeight, RoundsBetweenEvaluationsAreRoundedToSteps) {
  setup_.sources["train"] = std::make_unique<Nothing>(10);
  setup_.settings.batch = 4;
  const auto steps = [&](double epochs) {
    setup_.settings.evaluate_every = 0;
    setup_.settings.evaluate_epochs = epochs;
    return steps_between_evaluations(setup_);
  };
  EXPECT_EQ(steps(1), 3);
  EXPECT_EQ(steps(2), 5);
  EXPECT_EQ(steps(0.01), 1);
  EXPECT_EQ(steps(0), 0);
  strategy_.rollout = [](void*, rgm_train*, rgm_batch*, rgm_experience*) -> rgm_status { return RGM_INTERNAL; };
  setup_.settings.rollout_steps = 4;
  EXPECT_EQ(steps(1), 10) << "each batch of prompts is four steps";
}

// As doubles, 1.1 times 50 is a little more than 55.
TEST_F(LoweredWeight, EpochsThatAreWholeBatchesTakeNoFurtherStep) {
  setup_.sources["train"] = std::make_unique<Nothing>(50);
  setup_.settings.steps = 0;
  setup_.settings.batch = 5;
  setup_.settings.epochs = 1.1;
  EXPECT_EQ(steps_of(setup_), 11);
  setup_.settings.epochs = 1.11;
  EXPECT_EQ(steps_of(setup_), 12);
}

TEST_F(LoweredWeight, IsEvaluatedEverySoManyRounds) {
  setup_.sources["train"] = std::make_unique<Nothing>(4);
  setup_.settings.batch = 2;
  setup_.settings.steps = 5;
  setup_.settings.evaluate_every = 0;
  setup_.settings.evaluate_epochs = 1;
  result();
  EXPECT_THAT(evaluated_steps(), testing::ElementsAre(2, 4, 5));
}

// Four steps, and an evaluation after every second one.
TEST_F(LoweredWeight, KnowsHowFarTheStageIs) {
  static std::vector<float> in_steps, in_evaluations;
  in_steps.clear(), in_evaluations.clear();
  strategy_.loss = [](void*, rgm_train* train, rgm_batch*, rgm_tensor** out) -> rgm_status {
    in_steps.push_back(item(progress_on_device(*train)));
    *out = ops::sum(*weight).release();
    return RGM_OK;
  };
  strategy_.evaluate = [](void*, rgm_train* train, rgm_batch*) -> rgm_status {
    in_evaluations.push_back(item(progress_on_device(*train)));
    return RGM_OK;
  };
  setup_.settings.steps = 4;
  setup_.settings.evaluate_every = 2;
  setup_.settings.keep = "last";
  result();
  EXPECT_EQ(in_steps, (std::vector<float>{0, 0.25, 0.5, 0.75}));
  EXPECT_EQ(in_evaluations, (std::vector<float>{0.5, 1}));
}

TEST_F(LoweredWeight, TheBestIsNotWrittenIntoAFolderThatIsAnothersMeanwhile) {
  bool is_replaced = false;
  setup_.check_folder = [&] {
    if (is_replaced) failure("replaced");
  };
  setup_.after_step = [&](int64_t, int64_t) {
    EXPECT_TRUE(fs::remove(folder_ / "best.safetensors")) << "of step 1";
    return is_replaced = true;
  };
  EXPECT_THAT([&] { train(setup_); }, ThrowsMessage<Error>(HasSubstr("replaced")));
  EXPECT_FALSE(fs::exists(folder_ / "best.safetensors"));
}

}  // namespace
}  // namespace rgm::test
