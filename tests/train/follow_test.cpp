// follow_test.cpp - weights that follow the policy's: how far they move, which of them, when, and what of it survives.
#include "artefact/folder.hpp"
#include "artefact/safetensors.hpp"
#include "model/small.hpp"
#include "train/few_units.hpp"
#include "train/trainer.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class Follow : public TensorTest {
 protected:
  Follow() {
    train_.stage = "s";
    train_.roles["policy"] = {};
    train_.roles["teacher"] = {};
    train_.followers["teacher"] = {{{&policy_, &own_}}};
    train_.after_step = 1;
  }
  // A trained parameter of the policy, and what follows it.
  Tensor add(const std::string& name, std::initializer_list<float> policys, std::initializer_list<float> own) {
    policy_.add(name, values(policys), true);
    return own_.add(name, values(own), false).value;
  }
  std::string refusal(const std::string& role, double rate) {
    try {
      follow(train_, role, rate);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "";
  }
  Parameters policy_, own_;
  rgm_train train_;
};

TEST_F(Follow, ItMovesThatShareOfTheWay) {
  const Tensor own = add("w", {4, 8}, {0, 4});
  follow(train_, "teacher", 0.5);
  EXPECT_THAT(to_host(own), ElementsAre(2, 6));
  follow(train_, "teacher", 0.5);
  EXPECT_THAT(to_host(own), ElementsAre(3, 7));
  follow(train_, "teacher", 0);
  EXPECT_THAT(to_host(own), ElementsAre(3, 7));
  follow(train_, "teacher", 1);
  EXPECT_THAT(to_host(own), ElementsAre(4, 8));
}

// 0.6 * 0.1 + 0.4 * 0.1 is not 0.1 in float32.
TEST_F(Follow, WhatIsEqualStaysEqualToTheBit) {
  const Tensor own = add("w", {0.1F, 0.7F, 1e-20F}, {0.1F, 0.7F, 1e-20F});
  follow(train_, "teacher", 0.6);
  EXPECT_THAT(to_host(own), ElementsAre(0.1F, 0.7F, 1e-20F));
}

TEST_F(Follow, ACopyMovesWhereThePolicyIsTrained) {
  const Tensor trained = add("trained", {4}, {0});
  policy_.add("frozen", values({4}), false);
  const Tensor frozen = own_.add("frozen", values({0}), false).value;
  const Tensor alone = own_.add("alone", values({0}), false).value;
  policy_.add("count", values({4}), false, /*buffer=*/true);
  const Tensor buffer = own_.add("count", values({0}), false, /*buffer=*/true).value;
  follow(train_, "teacher", 0.5);
  EXPECT_EQ(item(trained), 2);
  EXPECT_EQ(item(frozen), 0);
  // One that was trained elsewhere starts elsewhere, so all of it moves.
  train_.followers["teacher"].is_copy = false;
  follow(train_, "teacher", 0.5);
  EXPECT_EQ(item(trained), 3);
  EXPECT_EQ(item(frozen), 2);
  EXPECT_EQ(item(alone), 0);
  EXPECT_EQ(item(buffer), 0);
}

// 1,048,576 numbers at a time are two rows of these, then one.
TEST_F(Follow, ALargeMatrixMovesInPieces) {
  const Shape shape{3, 400000};
  policy_.add("w", ops::full(shape, 3), true);
  const Tensor own = own_.add("w", ops::full(shape, 1), false).value;
  follow(train_, "teacher", 0.5);
  const NoGradient still;
  EXPECT_EQ(item(ops::sum(ops::slice(own, 0, 0, 2))), 2 * 2 * 400000);
  EXPECT_EQ(item(ops::sum(ops::slice(own, 0, 2, 3))), 2 * 400000);
}

TEST_F(Follow, UnderBfloat16ProductsReadTheNewValue) {
  add("w", {4, 8}, {0, 4});
  Parameter& own = *own_.find("w");
  own.make_half();
  follow(train_, "teacher", 0.5);
  EXPECT_THAT(to_host(own.half), ElementsAre(2, 6));
}

TEST_F(Follow, WhatCannotFollowIsNamed) {
  add("w", {1}, {0});
  EXPECT_THAT(refusal("teacher", 1.5), HasSubstr("follow: the rate is 1.5, expected 0 to 1"));
  EXPECT_THAT(refusal("teacher", std::nan("")), HasSubstr("expected 0 to 1"));
  EXPECT_THAT(refusal("teachers", 1), HasSubstr("follow: the stage has no model \"teachers\"; did you mean "
                                                "\"teacher\"?"));
  EXPECT_THAT(refusal("policy", 1), HasSubstr("follow: \"policy\" does not follow the policy: its role needs "
                                              "RGM_FOLLOWS"));
  train_.after_step = 0;
  EXPECT_THAT(refusal("teacher", 1), HasSubstr("follow: \"teacher\" moves between two steps; after_step is the place"));
}

class SingleUnit : public FewUnits {
 public:
  int64_t units() const override { return 1; }
  Batch in_order(int64_t, int64_t) const override {
    Batch out;
    out.examples = 1;
    return out;
  }
};

// The policy's one weight falls from 1 by a quarter a step; a teacher starts at 0 and goes half of the way to it.
class FollowedLoop : public TensorTest {
 protected:
  static inline const Tensor *weight = nullptr, *teacher = nullptr;
  static inline std::vector<int64_t> steps;
  static inline int64_t cancelled_at = 0;

  FollowedLoop() {
    steps.clear();
    cancelled_at = 0;
    strategy_.struct_size = sizeof strategy_;
    strategy_.roles = no_roles_;
    strategy_.create = [](const rgm_config*, void**) -> rgm_status { return RGM_OK; };
    strategy_.destroy = [](void*) {};
    strategy_.loss = [](void*, rgm_train*, rgm_batch*, rgm_tensor** out) -> rgm_status {
      *out = ops::sum(*weight).release();
      return RGM_OK;
    };
    strategy_.evaluate = [](void*, rgm_train* train, rgm_batch*) -> rgm_status {
      add_metric(*train, "teacher", *teacher, {});
      return RGM_OK;
    };
    strategy_.after_step = [](void*, rgm_train* train, int64_t step) -> rgm_status {
      steps.push_back(step);
      follow(*train, "teacher", 0.5);
      return step == cancelled_at ? keep_failure(RGM_CANCELLED, "enough") : rgm_status{RGM_OK};
    };
    setup_.strategy = &strategy_;
    setup_.strategy_name = "strategy \"following\"";
    setup_.main_source = "train";
    for (const char* name : {"train", "validation"}) setup_.sources[name] = std::make_unique<SingleUnit>();
    setup_.folder = folder_.path();
    setup_.settings.optimizer.kind = "sgd";
    setup_.settings.optimizer.learning_rate = 0.25;
    setup_.settings.clip = 0;
    setup_.settings.batch = 1;
    setup_.settings.steps = 3;
    begin();
  }
  // As in a new process.
  void begin() {
    policy_ = std::make_unique<Parameters>(), own_ = std::make_unique<Parameters>();
    weight_ = policy_->add("weight", values({1}), true).value, teacher_ = own_->add("weight", values({0}), false).value;
    weight = &weight_, teacher = &teacher_;
    train_ = std::make_unique<rgm_train>();
    train_->stage = "s";
    train_->policy = small_model();
    train_->roles["teacher"] = {};
    train_->followers["teacher"] = {{{policy_.get(), own_.get()}}};
    setup_.train = train_.get();
    setup_.parameters = {policy_.get()};
  }
  nlohmann::json result() {
    testing::internal::CaptureStderr();
    const TrainResult trained = train(setup_);
    said_ = testing::internal::GetCapturedStderr();
    return trained.result;
  }

  std::string said_;
  Folder folder_;
  const rgm_role* no_roles_[1] = {nullptr};
  std::unique_ptr<Parameters> policy_, own_;
  Tensor weight_, teacher_;
  rgm_strategy strategy_{};
  std::unique_ptr<rgm_train> train_;
  TrainSetup setup_;
};

// 0.75, 0.5, 0.25: 0.375, then 0.4375, then 0.34375, which the evaluation after the last step sees.
TEST_F(FollowedLoop, ItMovesOnceAfterEachStepAndBeforeTheEvaluation) {
  EXPECT_EQ(result().at("teacher"), 0.34375);
  EXPECT_THAT(steps, ElementsAre(1, 2, 3));
  EXPECT_EQ(item(weight_), 0.25);
}

TEST_F(FollowedLoop, MicroBatchesAreOneStep) {
  setup_.settings.batch = 4;
  setup_.settings.micro_batch = 1;
  setup_.settings.optimizer.learning_rate = 0.0625;  // four gradients of 1
  EXPECT_EQ(result().at("teacher"), 0.34375);
  EXPECT_THAT(steps, ElementsAre(1, 2, 3));
}

TEST_F(FollowedLoop, ItSurvivesAnInterruption) {
  setup_.settings.checkpoint_every = 1;
  setup_.after_step = [](int64_t step, int64_t) {
    if (step == 2) failure("stopped");
    return true;
  };
  EXPECT_THAT([&] { train(setup_); }, ThrowsMessage<Error>(HasSubstr("stopped")));
  setup_.after_step = {};
  begin();
  EXPECT_EQ(result().at("teacher"), 0.34375);
  EXPECT_THAT(said_, HasSubstr("s: resumed at step 2"));
  EXPECT_THAT(steps, ElementsAre(1, 2, 3));
}

// The step that it was called after is done, unlike one whose loss ends the stage.
TEST_F(FollowedLoop, AnEndAfterAStepKeepsThatStep) {
  cancelled_at = 2;
  const nlohmann::json ended = result();
  EXPECT_THAT(said_, HasSubstr("s: ends after step 2: enough"));
  EXPECT_EQ(ended.at("steps"), 2);
  EXPECT_EQ(ended.at("teacher"), 0.4375);
  EXPECT_EQ(item(weight_), 0.5);
}

// Of 0.375 and 0.4375 the lower one is best: the policy goes back to step 1, and the teacher is no part of what is
// kept.
TEST_F(FollowedLoop, TheBestWeightsAreThePolicys) {
  setup_.settings.steps = 2;
  setup_.settings.evaluate_every = 1;
  setup_.settings.keep = "best";
  setup_.settings.best_by = "teacher";
  EXPECT_EQ(result().at("best_step"), 1);
  EXPECT_EQ(item(weight_), 0.75);
  EXPECT_EQ(item(teacher_), 0.4375);
  EXPECT_EQ(SafeTensors(folder_ / "best.safetensors").tensors().size(), 1U);
}

}  // namespace
}  // namespace rgm::test
