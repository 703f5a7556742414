// packed_test.cpp - a model whose matrices the backend has laid out anew writes what it wrote before.
#include "tensor/packed.hpp"

#include <cmath>

#include "model/small.hpp"
#include "pipeline/aside.hpp"
#include "tensor/views.hpp"

namespace rgm::test {
namespace {

class PackedModel : public testing::TestWithParam<const char*> {
 protected:
  PackedModel() : model(frozen(GetParam())) {}
  static std::shared_ptr<Model> frozen(const char* id) {
    auto out = small_model(id);
    for (Parameter& p : out->parameters().all()) out->parameters().set_trained(p, false);
    return out;
  }
  std::vector<float> logits() const {
    const NoGradient no_gradient;
    return to_host(model->logits(model->hidden(pass_over(tokens_of({some_tokens(9, 1), some_tokens(9, 2)})))));
  }
  bool is_packed(const std::string& name) const { return packed_form(model->parameters().find(name)->value); }

  OnDevice device;
  std::shared_ptr<Model> model;
};
INSTANTIATE_TEST_SUITE_P(Families, PackedModel,
                         testing::Values("gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "gemma2", "olmo2",
                                         "gemma3", "smollm3", "olmo3", "phi3", "granite", "gpt_neo", "opt",
                                         "starcoder2"));

TEST_P(PackedModel, ComputesTheSame) {
  const auto before = logits();
  model->pack();
  for (const Parameter& p : model->parameters().all())
    EXPECT_EQ(packed_form(p.value) != nullptr,
              p.value.rank() == 2 && (p.name.starts_with("layers.") || p.name == "head.weight"))
        << p.name;
  EXPECT_EQ(logits(), before);  // of the same sums in the same order
}

TEST_P(PackedModel, WritesWithACacheWhatItReadsWithout) {
  const NoGradient no_gradient;
  const auto whole = logits();
  model->pack();
  KeyValueCache cache(model->config(), 2, 12);
  const Tensor tokens = tokens_of({some_tokens(9, 1), some_tokens(9, 2)});
  model->hidden(pass_over(ops::contiguous(ops::slice(tokens, 1, 0, 8))), &cache);
  const Tensor last = model->hidden(pass_over(ops::contiguous(ops::slice(tokens, 1, 8, 9))), &cache);
  const auto written = to_host(model->logits(last));
  for (size_t i = 0; i < written.size(); ++i)
    ASSERT_NEAR(written[i], whole[(i / 257 * 9 + 8) * 257 + i % 257], 1e-4) << i;
}

// Of each matrix of the layers one NaN is left.
TEST_P(PackedModel, LetsThePlainMatricesGo) {
  size_t matrices = 0;
  for (const Parameter& p : model->parameters().all())
    if (p.name.starts_with("layers.") && p.value.rank() == 2) matrices += static_cast<size_t>(p.value.count()) * 4;
  const size_t before = device->bytes_in_use();
  model->pack();
  EXPECT_LT(device->bytes_in_use() + matrices * 3 / 4, before);
  for (const Parameter& p : model->parameters().all())
    if (packed_form(p.value)) {
      EXPECT_TRUE(std::isnan(to_host(p.value)[0])) << p.name;
    }
}

TEST_P(PackedModel, WhereSomethingActsTheWeightStays) {
  TestHooks hooks(*model);
  hooks.outputs["layers.0.mlp.down"] = [](const Tensor&, const Tensor& y) { return 2.0 * y; };
  hooks.inputs["layers.1.attention.key"] = [](const Tensor& x) { return 0.5 * x; };
  model->set_hooks(&hooks);
  const auto before = logits();
  model->pack();
  EXPECT_EQ(logits(), before);
  EXPECT_FALSE(is_packed("layers.0.mlp.down.weight"));
  EXPECT_TRUE(is_packed("layers.1.mlp.down.weight"));
  const bool fused = model->parameters().find("layers.1.attention.qkv.weight");
  EXPECT_FALSE(is_packed(fused ? "layers.1.attention.qkv.weight" : "layers.1.attention.key.weight"));
  EXPECT_TRUE(is_packed(fused ? "layers.0.attention.qkv.weight" : "layers.0.attention.key.weight"));
  model->set_hooks(nullptr);
}

TEST_P(PackedModel, IsOnlyRead) {
  model->pack();
  const TemporaryFolder folder("packed");
  EXPECT_THROW(model->save(folder.path), Error);
  EXPECT_THROW(model->frozen_copy(), Error);
  if (!model->config().is_tied()) {
    EXPECT_THROW(model->forward(pass_over(tokens_of({some_tokens(5, 1)})), RGM_LOGPROBS), Error);
  }
  const Parameter& norm = *model->parameters().find("layers.0.attention.output.weight");
  const Tensor x = from_host(numbers(norm.value.size(1), 1), {1, norm.value.size(1)});
  x.set_trained(true);
  EXPECT_THROW(ops::linear(x, norm.value), Error);
  EXPECT_THROW(packed_form(alias(norm.value, views::sliced(norm.value.view(), 0, 0, 1))), Error);
}

TEST(PackedWeight, IsTheWeightItselfWhereTheBackendHasNoOtherLayout) {
  for (const Offer offer : {Offer::nothing, Offer::refusals}) {
    const OnDevice device(offer);
    const Tensor w = values({1, 2, 3, 4}, {2, 2});
    EXPECT_EQ(packed(w).get(), w.get());
  }
}

}  // namespace
}  // namespace rgm::test
