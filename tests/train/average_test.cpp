// average_test.cpp - the mean of the trained weights: how it moves, who sees it, and what of it survives.
#include "train/average.hpp"

#include <cmath>

#include "artefact/folder.hpp"
#include "model/small.hpp"
#include "train/few_units.hpp"
#include "train/in_place.hpp"
#include "train/trainer.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Average, ItsDecayRisesUpToTheOneGiven) {
  EXPECT_DOUBLE_EQ(decay_at(0.999, 1), 2.0 / 11);
  EXPECT_DOUBLE_EQ(decay_at(0.999, 90), 0.91);
  EXPECT_DOUBLE_EQ(decay_at(0.999, 8989), 8990.0 / 8999);
  EXPECT_DOUBLE_EQ(decay_at(0.999, 8990), 0.999);
  EXPECT_DOUBLE_EQ(decay_at(0.125, 1), 0.125);
}

class AveragedWeights : public TensorTest {
 protected:
  AveragedWeights() { w_ = parameters_.add("w", values({1, 1}), true).value; }
  std::vector<float> mean_of(const Average& average) const {
    std::vector<float> out;
    average.visit([&](const std::string&, const Tensor& mean) {
      for (const float x : to_host(mean)) out.push_back(x);
    });
    return out;
  }

  Parameters parameters_;
  Tensor w_;
  Parameters* const stores_[1] = {&parameters_};
};

// 1 + 7/8 (3 - 1) = 2.75; 1 + 7/8 (0 - 1) = 0.125.
TEST_F(AveragedWeights, ItMovesToTheNewWeights) {
  Average average(0.125, stores_);
  assign(w_, values({3, 0}));
  average.update(1);
  EXPECT_THAT(mean_of(average), ElementsAre(2.75, 0.125));
  EXPECT_THAT(to_host(w_), ElementsAre(3, 0));
  EXPECT_EQ(average.bytes(), 8U);
}

TEST_F(AveragedWeights, WhatNobodyTrainsHasNone) {
  parameters_.add("frozen", values({1}), false);
  parameters_.add("count", values({1}), false, /*buffer=*/true);
  std::vector<std::string> names;
  Average(0.5, stores_).visit([&](const std::string& name, const Tensor&) { names.push_back(name); });
  EXPECT_THAT(names, ElementsAre("average0.w"));
  EXPECT_EQ(Average(0, stores_).bytes(), 0U) << "none is asked for";
}

TEST_F(AveragedWeights, WhileItIsInPlaceItIsWhatIsRead) {
  parameters_.find("w")->make_half();
  const Tensor half = parameters_.find("w")->half;
  Average average(0.125, stores_);
  assign(w_, values({9, 17}));
  average.update(1);
  average.in_place([&] {
    EXPECT_THAT(to_host(w_), ElementsAre(8, 15));
    EXPECT_THAT(to_host(half), ElementsAre(8, 15)) << "so do products in bfloat16";
  });
  EXPECT_THAT(to_host(w_), ElementsAre(9, 17));
  EXPECT_THAT(to_host(half), ElementsAre(9, 17));
  EXPECT_THAT([&] { average.in_place([] { failure("stopped"); }); }, ThrowsMessage<Error>("stopped"));
  EXPECT_THAT(to_host(w_), ElementsAre(9, 17)) << "whatever happens";
  EXPECT_THAT(mean_of(average), ElementsAre(8, 15));
}

// 1,048,576 numbers at a time are two rows of these, then one.
TEST_F(AveragedWeights, LargeMatricesAreExchangedInPieces) {
  const Shape shape{3, 400000};
  const Tensor one = empty(shape), other = empty(shape);
  assign(one, ops::full(shape, 3));
  assign(other, ops::full(shape, 1));
  exchange(one, other);
  EXPECT_EQ(item(ops::sum(one)), 3 * 400000);
  EXPECT_EQ(item(ops::sum(other)), 9 * 400000);
}

// In memory they are 1 4 2 5 3 6.
TEST_F(AveragedWeights, TransposedOnesAreReadAsTheyLie) {
  const Tensor turned = ops::transpose(values({1, 4, 2, 5, 3, 6}, {3, 2})), own = empty_like(turned.view(), RGM_F32);
  assign(own, values({1, 0, 1, 2, 1, 0}, {2, 3}));
  move_towards(own, turned, 0.5);
  EXPECT_THAT(to_host(own), ElementsAre(1, 1, 2, 3, 3, 3));
  exchange(own, turned);
  EXPECT_THAT(to_host(own), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(to_host(turned), ElementsAre(1, 1, 2, 3, 3, 3));
  const Tensor straight = values({3, 3, 2, 1, 1, 1}, {2, 3});
  move_towards(straight, turned, 0.5);
  EXPECT_THAT(to_host(straight), ElementsAre(2, 2, 2, 2, 2, 2)) << "nor does it matter if one lies otherwise";
}

class OneExample : public FewUnits {
 public:
  int64_t units() const override { return 1; }
  Batch in_order(int64_t, int64_t) const override {
    Batch out;
    out.examples = 1;
    return out;
  }
};

// The weight falls from 1 by a quarter a step. With a decay of 1/8 its mean is 0.78125, 0.53515625, 0.28564453125.
class AveragedLoop : public TensorTest {
 protected:
  static inline const Tensor* weight = nullptr;
  static inline std::vector<float> in_steps, in_evaluations;
  static inline bool stops_in_evaluation = false;

  AveragedLoop() {
    in_steps.clear(), in_evaluations.clear();
    stops_in_evaluation = false;
    strategy_.struct_size = sizeof strategy_;
    strategy_.roles = no_roles_;
    strategy_.create = [](const rgm_config*, void**) -> rgm_status { return RGM_OK; };
    strategy_.destroy = [](void*) {};
    strategy_.loss = [](void*, rgm_train*, rgm_batch*, rgm_tensor** out) -> rgm_status {
      in_steps.push_back(item(*weight));
      *out = ops::sum(*weight).release();
      return RGM_OK;
    };
    strategy_.evaluate = [](void*, rgm_train* train, rgm_batch*) -> rgm_status {
      in_evaluations.push_back(item(*weight));
      if (stops_in_evaluation) return keep_failure(RGM_INTERNAL, "stopped");
      add_metric(*train, "height", ops::sum(*weight), {});
      return RGM_OK;
    };
    setup_.strategy = &strategy_;
    setup_.strategy_name = "strategy \"averaging\"";
    setup_.main_source = "train";
    for (const char* name : {"train", "validation"}) setup_.sources[name] = std::make_unique<OneExample>();
    setup_.folder = folder_.path();
    setup_.settings.optimizer.kind = "sgd";
    setup_.settings.optimizer.learning_rate = 0.25;
    setup_.settings.clip = 0;
    setup_.settings.batch = 1;
    setup_.settings.steps = 3;
    setup_.settings.evaluate_every = 1;
    setup_.settings.average = 0.125;
    begin();
  }
  // As in a new process.
  void begin() {
    parameters_ = std::make_unique<Parameters>();
    weight_ = parameters_->add("weight", values({1}), true).value;
    weight = &weight_;
    train_ = std::make_unique<rgm_train>();
    train_->stage = "s";
    train_->policy = small_model();
    setup_.train = train_.get();
    setup_.parameters = {parameters_.get()};
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
  std::unique_ptr<Parameters> parameters_;
  Tensor weight_;
  rgm_strategy strategy_{};
  std::unique_ptr<rgm_train> train_;
  TrainSetup setup_;
};

TEST_F(AveragedLoop, EvaluationsSeeTheMeanAndStepsThePlainWeights) {
  const nlohmann::json last = result();
  EXPECT_THAT(in_steps, ElementsAre(1, 0.75, 0.5));
  EXPECT_THAT(in_evaluations, ElementsAre(0.78125, 0.53515625, 0.28564453125));
  EXPECT_EQ(last.at("height"), 0.28564453125);
  EXPECT_EQ(last.at("average_decay"), 0.125);
  EXPECT_EQ(item(weight_), 0.28564453125F) << "it is what is kept";
}

TEST_F(AveragedLoop, TheBestWeightsAreThoseOfTheMean) {
  setup_.settings.keep = "best";
  setup_.settings.best_by = "height";
  setup_.settings.highest_is_best = true;
  EXPECT_EQ(result().at("best_step"), 1);
  EXPECT_EQ(item(weight_), 0.78125);
}

TEST_F(AveragedLoop, PatienceGoesByTheMean) {
  setup_.settings.steps = 9;
  setup_.settings.patience = 1;
  setup_.settings.best_by = "height";
  setup_.settings.highest_is_best = true;
  EXPECT_EQ(result().at("steps"), 2);
  EXPECT_EQ(item(weight_), 0.53515625);
}

TEST_F(AveragedLoop, WithoutAMeanThePlainWeightsAreKept) {
  setup_.settings.average = 0;
  EXPECT_FALSE(result().contains("average_decay"));
  EXPECT_THAT(in_evaluations, ElementsAre(0.75, 0.5, 0.25));
  EXPECT_EQ(item(weight_), 0.25);
}

TEST_F(AveragedLoop, MicroBatchesMoveItOnce) {
  setup_.settings.batch = 4;
  setup_.settings.micro_batch = 3;
  setup_.settings.optimizer.learning_rate = 0.125;  // two gradients of 1
  result();
  EXPECT_THAT(in_evaluations, ElementsAre(0.78125, 0.53515625, 0.28564453125));
}

TEST_F(AveragedLoop, ItSurvivesAnInterruption) {
  setup_.settings.checkpoint_every = 1;
  setup_.after_step = [](int64_t step, int64_t) {
    if (step == 2) failure("stopped");
    return true;
  };
  EXPECT_THAT([&] { train(setup_); }, ThrowsMessage<Error>("stopped"));
  setup_.after_step = {};
  begin();
  result();
  EXPECT_THAT(said_, HasSubstr("s: resumed at step 2"));
  EXPECT_THAT(in_steps, ElementsAre(1, 0.75, 0.5));
  EXPECT_EQ(item(weight_), 0.28564453125F);
}

// A checkpoint of an interruption is then written of them, and the next run ends with the mean.
TEST_F(AveragedLoop, ASampleThatFailsLeavesThePlainWeights) {
  setup_.settings.sample_prompt = "a";
  setup_.settings.sample_count = -1;
  EXPECT_THAT([&] { train(setup_); }, ThrowsMessage<Error>(HasSubstr("-1 answers")));
  EXPECT_EQ(item(weight_), 0.25);
}

TEST_F(AveragedLoop, AnEvaluationThatFailsLeavesThePlainWeights) {
  stops_in_evaluation = true;
  EXPECT_THAT([&] { train(setup_); }, ThrowsMessage<Error>(HasSubstr("stopped")));
  EXPECT_EQ(item(weight_), 0.75);
}

}  // namespace
}  // namespace rgm::test
