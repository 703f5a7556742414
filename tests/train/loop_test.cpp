// loop_test.cpp - the loop of a stage, whose strategy lowers one weight: each step is better than the one before.
#include "artefact/folder.hpp"
#include "model/small.hpp"
#include "train/few_units.hpp"
#include "train/trainer.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

// One example without columns.
class Nothing : public FewUnits {
 public:
  int64_t units() const override { return 1; }
  Batch in_order(int64_t begin, int64_t end) const override {
    Batch out;
    out.examples = end - begin;
    return out;
  }
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
