// gradient_test.cpp - what the loss of each method passes back to a parameter is how the loss itself changes with it.
#include "methods/learned.hpp"

namespace rgm::test {
namespace {

const std::vector<Text> good = {{"a ", "cat sat"}, {"the ", "dog"}, {"one ", "two three"}};
const std::vector<Text> bad = {{"a ", "zz"}, {"the ", "mat on"}, {"one ", "x"}};

// Reads every state and is read by every other part of the model.
constexpr const char* middle = "layers.0.attention.qkv.weight";

void set_pairs(Batch& batch) {
  set_tokens(batch, "chosen", good);
  set_tokens(batch, "rejected", bad);
}

class Gradient : public TensorTest {
 protected:
  static constexpr double step = 1e-3;

  // Of a parameter by the loss; what it collected before is forgotten.
  static std::vector<float> gradient_of(Method& method, Batch& batch, const Parameter& p) {
    static_cast<void>(p.value.take_gradient());
    method.train.begin_step({&batch});
    const RandomScope random({5, 1, 0, 0});
    rgm_tensor* out = nullptr;
    check_status(method.table.loss(method.self, &method.train, &batch, &out));
    backward(Tensor::adopt(out));
    const Tensor gradient = p.value.take_gradient();
    return gradient ? to_host(gradient) : std::vector<float>();
  }
  // How `measure` changes where the parameter moves by 1 along `direction`: by central differences.
  static double slope(const Parameter& p, const std::vector<float>& direction, double length,
                      const std::function<double()>& measure) {
    const NoGradient still;
    const std::vector<float> before = to_host(p.value);
    const auto at = [&](double way) {
      std::vector<float> moved = before;
      for (size_t i = 0; i < moved.size(); ++i) moved[i] += float(way / length * double(direction[i]));
      assign(p.value, from_host(std::span<const float>(moved), p.value.shape()));
      return measure();
    };
    const double out = (at(step) - at(-step)) / (2 * step);
    at(0);
    return out;
  }
  static double length_of(const std::vector<float>& x) {
    double sum = 0;
    for (const float v : x) sum += double(v) * double(v);
    return std::sqrt(sum);
  }
  // Along the gradient the loss rises by its length.
  static void expect_gradient(Method& method, Batch& batch, const Parameter* p, double tolerance = 0.01) {
    ASSERT_NE(p, nullptr);
    const std::vector<float> gradient = gradient_of(method, batch, *p);
    const double length = length_of(gradient);
    ASSERT_GT(length, 1e-3) << p->name;
    const double wanted = slope(*p, gradient, length, [&] { return method.loss(batch); });
    EXPECT_NEAR(length, wanted, tolerance * length) << p->name;
  }
  static void expect_gradient(Method& method, Batch& batch) {
    expect_gradient(method, batch, method.policy->parameters().find(middle));
  }
  // Old log-probabilities that some ratios are within the clip of and some are not, all well away from its ends.
  static void move(const Model& model, Batch& batch, double clip) {
    const NoGradient still;
    const Pass pass{.tokens = column(batch, "completion"), .segments = column(batch, "completion.segments")};
    const auto now = to_host(model.forward(pass, RGM_LOGPROBS)[0]);
    std::vector<float>& old = batch.columns.at("completion.logprobs").reals;
    for (size_t i = 0; i < now.size(); ++i) old[i] = now[i] - float((i % 2 ? 0.5 : 2.5) * (i % 4 < 2 ? clip : -clip));
    batch.uploaded.clear();
  }
};

TEST_F(Gradient, OfDpoIsThatOfItsLoss) {
  for (const char* loss : {"sigmoid", "robust", "ipo_sum", "ipo_mean", "apo_zero", "apo_down"}) {
    Method method("dpo", std::string("{beta: 0.3, sft: 0.2, loss: ") + loss + "}");
    Batch batch;
    set_pairs(batch);
    method.annotate(batch);
    expect_gradient(method, batch);
  }
}

TEST_F(Gradient, OfSimpoIsThatOfItsLoss) {
  Method method("simpo", "{beta: 2, gamma: 0.5, sft: 0.1}");
  Batch batch;
  set_pairs(batch);
  expect_gradient(method, batch);
}

TEST_F(Gradient, OfOrpoIsThatOfItsLoss) {
  Method method("orpo", "{beta: 0.4}");
  Batch batch;
  set_pairs(batch);
  expect_gradient(method, batch);
}

// z is held where it was: the gradient does not know that it moves, too.
TEST_F(Gradient, OfKtoLeavesTheDistanceWhereItIs) {
  Method method("kto", "{beta: 0.02}");
  std::swap(method.policy, method.reference);
  method.train.roles.at("policy").model = method.policy;
  method.train.roles.at("reference").model = method.reference;
  Batch batch;
  set_tokens(batch, "completion", good);
  set_integers(batch, "desirable", {1, 1, 1});
  method.annotate(batch);
  const Parameter& p = *method.policy->parameters().find(middle);
  const std::vector<float> gradient = gradient_of(method, batch, p);
  const double length = length_of(gradient), z = method.metric("kl");
  ASSERT_GT(z, 0.1) << "the distance has to be there for the test to see it";
  const double with_z_held = slope(p, gradient, length, [&] {
    double sum = 0;
    for (size_t i = 0; i < 3; ++i) {
      const double x =
          sum_of(logprobs_of(*method.policy, good[i])) - double(batch.columns.at("reference_logprob").reals[i]);
      sum += (1 - 1 / (1 + std::exp(-0.02 * (x - z)))) / 3;
    }
    return sum;
  });
  EXPECT_NEAR(length, with_z_held, 0.01 * length);
  const double with_z_free = slope(p, gradient, length, [&] { return method.loss(batch); });
  EXPECT_GT(std::abs(with_z_free - length), 0.03 * length) << "the two have to differ for the test to see it";
}

TEST_F(Gradient, OfKtoWithoutADistanceIsThatOfItsLoss) {
  Method method("kto", "{beta: 0.2, kl: false}");
  Batch batch;
  set_tokens(batch, "completion", good);
  set_integers(batch, "desirable", {1, 0, 1});
  method.annotate(batch);
  expect_gradient(method, batch);
}

TEST_F(Gradient, OfPpoReachesThePolicyAndItsCritic) {
  Method method("ppo", "{max_tokens: 6, answers: 2, value_weight: 0.4, clip: 0.2, value_clip: 0.2}");
  const std::shared_ptr<Model> critic = small_model("gpt2", 9);
  method.train.roles["critic"] = {critic};
  method.train.scopes_closed = false;  // the critic came after the first prepare
  {
    const NoGradient still;
    const RandomScope random({5, 0, 0, 0});
    check_status(method.table.prepare(method.self, &method.train));
  }
  method.train.close_scopes();
  Batch& batch = method.rollout({"ab", "the"}, by_letters);
  move(*method.policy, batch, 0.2);
  std::vector<float>& value = batch.columns.at("completion.value").reals;
  for (size_t i = 0; i < value.size(); ++i) value[i] += i % 2 ? 0.1F : 0.5F;
  expect_gradient(method, batch);
  expect_gradient(method, batch, critic->parameters().find(middle));
  expect_gradient(method, batch, critic->extra().find("value.weight"));
}

TEST_F(Gradient, OfPpoWithAHeadOnItsStatesIsThatOfItsLoss) {
  Method method("ppo", "{max_tokens: 6, answers: 2, value_weight: 0.4}");
  Batch& batch = method.rollout({"ab", "the"}, by_letters);
  move(*method.policy, batch, 0.2);
  expect_gradient(method, batch);
  expect_gradient(method, batch, method.policy->extra().find("value.weight"));
}

TEST_F(Gradient, OfGrpoIsThatOfItsLoss) {
  for (const char* average : {"dapo", "grpo", "dr_grpo"}) {
    Method method("grpo", std::string("{max_tokens: 5, answers: 3, clip: 0.2, beta: 0.5, average: ") + average + "}");
    Batch& batch = method.rollout({"ab", "the"}, by_letters);
    move(*method.policy, batch, 0.2);
    expect_gradient(method, batch);
  }
}

// The ratio of an answer moves with all of its tokens.
TEST_F(Gradient, OfGrpoWithRatiosOfAnswersIsThatOfItsLoss) {
  Method method("grpo", "{max_tokens: 5, answers: 3, clip: 0.9, ratio: answer, average: grpo}");
  Batch& batch = method.rollout({"ab", "the"}, by_letters);
  move(*method.policy, batch, 0.2);
  expect_gradient(method, batch);
}

TEST_F(Gradient, OfRlooIsThatOfItsLoss) {
  Method method("rloo", "{max_tokens: 4, answers: 3, clip: 1}");
  Batch& batch = method.rollout({"ab"}, by_letters);
  std::vector<float>& old = batch.columns.at("old").reals;
  for (size_t e = 0; e < 3; ++e) old[e] += e == 1 ? -0.2F : 0.2F;
  batch.uploaded.clear();
  expect_gradient(method, batch);
}

TEST_F(Gradient, OfDistillationIsThatOfItsLoss) {
  for (const char* divergence : {"forward", "reverse", "js", "js, js_weight: 0.2"}) {
    Method method("distill", std::string("{temperature: 3, share: 0.7, divergence: ") + divergence + "}");
    method.train.roles["teacher"] = {method.reference, false, true};
    Batch batch;
    set_tokens(batch, "text", good);
    expect_gradient(method, batch);
  }
}

TEST_F(Gradient, OfDistillationOnOwnAnswersIsThatOfItsLoss) {
  for (const char* divergence : {"forward", "reverse", "js, js_weight: 0.2"}) {
    Method method("gkd", std::string("{on_policy: 0.6, temperature: 3, share: 0.7, divergence: ") + divergence + "}");
    Batch batch;
    set_tokens(batch, "completion", bad);
    set_tokens(batch, "train.text", good);
    expect_gradient(method, batch);
  }
}

TEST_F(Gradient, OfARewardReachesTheModelAndItsHead) {
  Method method("reward_modeling");
  learn_reward(method, "pairwise", "{center: 0.01}");
  Batch batch;
  set_pairs(batch);
  expect_gradient(method, batch);
  expect_gradient(method, batch, method.policy->extra().find("pairwise.weight"));
}

TEST_F(Gradient, OfFurtherTrainingIsThatOfItsLoss) {
  Method texts("finetune");
  Batch batch;
  set_tokens(batch, "text", good);
  expect_gradient(texts, batch);
  for (const int64_t outputs : {3, 1}) {  // labels, and a number
    Method method("finetune", outputs == 3 ? "{label_smoothing: 0.2, class_weights: [1, 3, 0.5]}" : "{}", outputs);
    set_integers(batch, "label", {2, 0, 1});
    set_reals(batch, "value", {1.5, -0.5, 0.25});
    batch.uploaded.clear();
    expect_gradient(method, batch);
  }
}

}  // namespace
}  // namespace rgm::test
