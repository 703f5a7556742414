// quantized_model_test.cpp - a model whose layers are in four bits computes what one with these values does.
#include "model/small.hpp"
#include "pipeline/aside.hpp"

namespace rgm::test {
namespace {

ModelConfig wide_config(const char* id) {
  ModelConfig c = small_config(id);
  c.channels = 64, c.head_dim = 16, c.hidden = 128;
  return c;
}

class QuantizedModel : public testing::TestWithParam<const char*> {
 protected:
  OnDevice device;
  NarrowWeights nf4 = NarrowWeights::all(NarrowWeights::Form::nf4);
  std::shared_ptr<Model> model = Model::create(wide_config(GetParam()), byte_tokenizer(), 7, nf4);

  // The values in float32
  std::shared_ptr<Model> plain() const {
    const NoGradient no_gradient;
    auto out = Model::create(wide_config(GetParam()), byte_tokenizer(), 7);
    for (Parameter& p : out->parameters().all()) assign(p.value, readable(model->parameters().find(p.name)->value));
    return out;
  }
  static std::vector<float> logits(const Model& of) {
    const NoGradient no_gradient;
    return to_host(of.logits(of.hidden(pass_over(tokens_of({some_tokens(12, 1), some_tokens(12, 2)})))));
  }
};
INSTANTIATE_TEST_SUITE_P(Families, QuantizedModel, testing::Values("gpt2", "gpt_neox", "llama", "gemma2", "phi3"));

TEST_P(QuantizedModel, HoldsTheMatricesOfItsLayersInFourBitsAndTheOthersInBfloat16) {
  for (const Parameter& p : model->parameters().all()) {
    const bool matrix = p.value.rank() == 2 && p.name != "positions.weight", of_layer = p.name.starts_with("layers.");
    EXPECT_EQ(is_quantized(p.value), matrix && of_layer) << p.name;
    EXPECT_EQ(p.value.dtype() == RGM_BF16, matrix && !of_layer) << p.name;
    EXPECT_FALSE(p.trained && matrix) << p.name;
  }
  const auto quantized = static_cast<uint64_t>(model->parameters().quantized_count()),
             narrow = static_cast<uint64_t>(model->parameters().narrow_count()),
             all = static_cast<uint64_t>(model->parameters().count());
  EXPECT_EQ(model->parameters().bytes(), quantized / 2 + quantized / 16 + 2 * narrow + 4 * (all - quantized - narrow));
}

TEST_P(QuantizedModel, ComputesWithItsValues) { expect_near(logits(*model), logits(*plain()), 1e-5); }

TEST_P(QuantizedModel, InBfloat16ItComputesWithThemRounded) {
  const auto other = plain();
  model->use_bfloat16(), other->use_bfloat16();
  for (const Parameter& p : model->parameters().all()) EXPECT_FALSE(is_quantized(p.value) && p.half) << p.name;
  EXPECT_EQ(logits(*model), logits(*other));
}

TEST_P(QuantizedModel, QuantizedLaterOrCopiedItIsTheSame) {
  const auto later = Model::create(wide_config(GetParam()), byte_tokenizer(), 7);
  later->narrow(nf4);
  EXPECT_EQ(later->parameters().sha256(), model->parameters().sha256());
  EXPECT_EQ(model->frozen_copy()->parameters().sha256(), model->parameters().sha256());
  EXPECT_EQ(logits(*later), logits(*model));
}

TEST_P(QuantizedModel, IsSavedWithItsValuesInBfloat16AndOpenedFromAnyFile) {
  const TemporaryFolder folder("quantized");
  model->save(folder.path);
  const auto wide = Model::open(folder.path), again = Model::open(folder.path, nf4);
  for (const Parameter& p : wide->parameters().all()) {
    const Tensor mine = readable(model->parameters().find(p.name)->value);
    EXPECT_EQ(to_host(p.value),
              to_host(mine.rank() == 2 && p.name != "positions.weight" ? ops::cast(mine, RGM_BF16) : mine))
        << p.name;
  }
  EXPECT_EQ(again->parameters().quantized_count(), model->parameters().quantized_count());
}

TEST_P(QuantizedModel, AnAdapterSeesTheWeightOfItsSite) {
  for (const SiteInfo& site : model->sites()) {
    if (site.kind != RGM_LINEAR_SITE) continue;
    EXPECT_EQ(readable(site.weight).shape(), Shape({site.out, site.in})) << site.name;
  }
  const auto value = std::ranges::find(model->sites(), std::string("layers.0.attention.value"), &SiteInfo::name);
  const auto other = plain();
  const auto& same = other->sites()[static_cast<size_t>(value - model->sites().begin())];
  EXPECT_EQ(to_host(readable(value->weight)), to_host(same.weight));
}

TEST_P(QuantizedModel, WhatIsInFourBitsCannotBeTrained) {
  Parameters& all = model->parameters();
  const std::string name = "layers.1.mlp.down.weight";
  try {
    all.set_trained(*all.find(name), true);
    FAIL() << "it was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.what(), "parameter \"" + name + "\" is kept in four bits, as one that nobody trains");
  }
}

}  // namespace
}  // namespace rgm::test
