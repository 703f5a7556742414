// parity_test.cpp - a recorded run of PyTorch: logits, every gradient, ten steps of AdamW
// (tests/parity/record_gpt2.py).
#include <cmath>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "model/small.hpp"
#include "tensor/views.hpp"

namespace rgm::test {
namespace {

const fs::path folder = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/gpt2";

class Parity : public testing::TestWithParam<Offer> {
 protected:
  OnDevice device{GetParam()};
  Parity() {
    const auto json = parse_json(read_file(folder / "config.json"));
    model = Model::create(from_hugging_face(json, "config.json"), nullptr, 1);
    for (const ParameterSlot& slot : parameter_slots(model->config())) {
      const NoGradient no_gradient;
      const Tensor& x = model->parameters().find(slot.ours)->value;
      assign(slot.transposed ? ops::transpose(x) : x, recorded(slot.theirs));
    }
  }
  Tensor recorded(const std::string& name) const {
    const SavedTensor* saved = file.find(name);
    require(saved != nullptr, "no {}", name);
    return from_host(saved->data.data(), Shape(std::span<const int64_t>(saved->shape)), saved->dtype);
  }
  // The mean over 3 x 16 predictions.
  Tensor loss(const Tensor& tokens) const {
    return model->cross_entropy(pass_over(tokens), ops::full({3, 17}, 1.0 / 48));
  }

  SafeTensors file{folder / "recorded.safetensors"};
  std::shared_ptr<Model> model;
};

// With fused kernels, and composed of the ten that every backend has.
INSTANTIATE_TEST_SUITE_P(Offers, Parity, testing::Values(Offer::everything, Offer::nothing),
                         [](const auto& info) { return name_of(info.param); });

TEST_P(Parity, Logits) {
  const NoGradient no_gradient;
  const Tensor tokens = ops::contiguous(ops::slice(recorded("tokens"), 1, 0, 16));
  expect_near(model->forward(pass_over(tokens), RGM_LOGITS)[0], recorded("logits"), 1e-4);
  EXPECT_NEAR(item(loss(recorded("tokens"))), item(recorded("loss")), 1e-5);
}

TEST_P(Parity, EveryGradient) {
  backward(loss(recorded("tokens")));
  for (const ParameterSlot& slot : parameter_slots(model->config())) {
    SCOPED_TRACE(slot.ours);
    const Tensor gradient = model->parameters().find(slot.ours)->value.gradient();
    ASSERT_TRUE(gradient);
    expect_near(slot.transposed ? ops::transpose(gradient) : gradient, recorded("gradient." + slot.theirs), 1e-5);
  }
}

TEST_P(Parity, TenStepsOfAdamW) {
  struct Moments {
    Tensor m, v;
  };
  std::vector<Moments> moments;
  for (const Parameter& p : model->parameters().all())
    moments.push_back({ops::full(p.value.shape(), 0), ops::full(p.value.shape(), 0)});
  const auto losses = to_host(recorded("losses")), norms = to_host(recorded("gradient_norms"));
  for (int64_t step = 0; step < 10; ++step) {
    SCOPED_TRACE(step);
    const Tensor tokens = ops::reshape(ops::slice(recorded("batches"), 0, step, step + 1), {3, 17});
    const Tensor value = loss(tokens);
    EXPECT_NEAR(item(value), losses[static_cast<size_t>(step)], 1e-4);
    backward(value);
    std::vector<Tensor> gradients;
    for (const Parameter& p : model->parameters().all()) gradients.push_back(p.value.take_gradient());
    const double norm = std::sqrt(item(ops::sum_of_squares(gradients)));
    EXPECT_NEAR(norm / norms[static_cast<size_t>(step)], 1, 1e-3);
    size_t i = 0;
    for (const Parameter& p : model->parameters().all()) {
      const double decay = p.value.rank() >= 2 ? 0.1 : 0, t = static_cast<double>(step + 1);
      const auto f = [](double x) { return static_cast<float>(x); };
      const Tensor hyper = values({f(1e-2), f(0.9), f(0.95), f(1e-8), f(decay), f(1 - std::pow(0.9, t)),
                                   f(1 - std::pow(0.95, t)), f(std::min(1.0, 1 / (norm + 1e-6)))});
      const ops::AdamWItem items[] = {{gradients[i], p.value, moments[i].m, moments[i].v}};
      ops::adamw(hyper, items);
      ++i;
    }
  }
}

}  // namespace
}  // namespace rgm::test
