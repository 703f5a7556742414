// recompute_test.cpp - layers that are computed again for their gradients give the same bits, and hold less meanwhile.
#include "model/small.hpp"

namespace rgm::test {
namespace {

class Recompute : public testing::TestWithParam<const char*> {
 protected:
  // The gradient of every parameter, after a loss over two packed rows with dropout.
  std::vector<std::vector<float>> learn(const std::shared_ptr<Model>& model, bool again) const {
    model->training = true, model->recompute = again;
    Pass pass = pass_over(tokens_of({some_tokens(20, 1), some_tokens(20, 2)}));
    std::vector<int32_t> segments(40, 1);
    std::fill_n(segments.begin() + 7, 13, 2);
    pass.segments = from_host(std::span<const int32_t>(segments), {2, 20});
    {
      const RandomScope draws({.seed = 5, .step = 1});
      const Tensor loss = model->cross_entropy(pass, ops::full({2, 20}, 1));
      backward(loss);
    }
    std::vector<std::vector<float>> out;
    for (const Parameter& p : model->parameters().all()) out.push_back(to_host(p.value.take_gradient()));
    return out;
  }
  OnDevice device{Offer::everything};
};

TEST_P(Recompute, SameBits) {
  ModelConfig config = small_config(GetParam());
  config.dropout = 0.2;
  const auto model = Model::create(config, byte_tokenizer(), 7);
  EXPECT_EQ(learn(model, true), learn(model, false));
}

TEST_P(Recompute, AFrozenBeginningKeepsNothing) {
  const auto model = small_model(GetParam());
  for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, p.name.starts_with("layers.1."));
  model->training = model->recompute = true;
  Pass pass = pass_over(tokens_of({some_tokens(9, 1)}));
  const Tensor loss = model->cross_entropy(pass, ops::full({1, 9}, 1));
  backward(loss);
  for (const Parameter& p : model->parameters().all())
    EXPECT_EQ(static_cast<bool>(p.value.gradient()), p.name.starts_with("layers.1.")) << p.name;
}

INSTANTIATE_TEST_SUITE_P(All, Recompute, testing::Values("gpt2", "gpt_neox", "llama", "gemma2", "granite", "qwen2_moe"),
                         [](const auto& info) { return std::string(info.param); });

TEST(RecomputeMemory, GrowsByTheInputOfALayer) {
  const OnDevice device{Offer::everything};
  const auto bytes = [](int64_t layers, bool again) {
    ModelConfig config = small_config();
    config.layers = layers, config.context = 64;
    const auto model = Model::create(config, byte_tokenizer(), 7);
    model->recompute = again;
    const Pass pass = pass_over(tokens_of({some_tokens(64, 1), some_tokens(64, 2)}));
    const uint64_t before = current_device().bytes_in_use();
    const Tensor hidden = model->hidden(pass);
    return current_device().bytes_in_use() - before;
  };
  // One more layer: 2 x 64 tokens of 16 channels, 8,192 bytes; without it everything in between.
  EXPECT_EQ(bytes(6, true) - bytes(5, true), 2U * 64 * 16 * 4);
  EXPECT_GT(bytes(6, false) - bytes(5, false), 8U * 2 * 64 * 16 * 4);
}

}  // namespace
}  // namespace rgm::test
