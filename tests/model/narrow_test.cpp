// narrow_test.cpp - a model whose frozen matrices are bfloat16 computes in float32 what one with rounded matrices does.
#include <set>

#include "artefact/safetensors.hpp"
#include "model/small.hpp"
#include "pipeline/aside.hpp"
#include "tensor/float_only.hpp"

namespace rgm::test {
namespace {

class NarrowModel : public testing::TestWithParam<const char*> {
 protected:
  OnDevice device;
  // All but the last layer and the last norm
  NarrowWeights narrow{[](const std::string& name, const ModelConfig&) { return !name.starts_with("layers.1."); }};
  std::shared_ptr<Model> model = Model::create(small_config(GetParam()), byte_tokenizer(), 7, narrow), rounded = like();

  std::shared_ptr<Model> like() const {
    const NoGradient no_gradient;
    auto out = Model::create(small_config(GetParam()), byte_tokenizer(), 7);
    for (Parameter& p : out->parameters().all()) {
      const Parameter& mine = *model->parameters().find(p.name);
      assign(p.value, mine.value);
      out->parameters().set_trained(p, mine.trained);
    }
    return out;
  }
  static Tensor loss(const Model& of) {
    return of.cross_entropy(pass_over(tokens_of({some_tokens(12, 1), some_tokens(12, 2)})), ops::full({2, 12}, 0.04));
  }
};
INSTANTIATE_TEST_SUITE_P(Families, NarrowModel,
                         testing::Values("gpt2", "gpt_neox", "llama", "qwen2", "qwen3", "gemma2", "olmo2", "phi3",
                                         "granite", "gpt_neo", "opt", "starcoder2", "mixtral"));

TEST_P(NarrowModel, HoldsItsFrozenMatricesInTwoBytes) {
  const int64_t narrow_ones = model->parameters().narrow_count();
  EXPECT_GT(narrow_ones, model->parameters().count() / 2);
  EXPECT_EQ(model->parameters().bytes(), rounded->parameters().bytes() - 2 * static_cast<uint64_t>(narrow_ones));
  for (const Parameter& p : model->parameters().all())
    EXPECT_EQ(p.value.dtype() == RGM_BF16,
              p.value.rank() == 2 && !p.name.starts_with("layers.1.") && p.name != "positions.weight")
        << p.name;
}

TEST_P(NarrowModel, RoundedLaterItIsAsIfMadeSo) {
  const auto later = Model::create(small_config(GetParam()), byte_tokenizer(), 7);
  later->narrow(narrow);
  EXPECT_EQ(later->parameters().sha256(), model->parameters().sha256());
  EXPECT_EQ(later->parameters().bytes(), model->parameters().bytes());
  EXPECT_EQ(later->parameters().trained_count(), model->parameters().trained_count());
  EXPECT_EQ(later->sites().size(), model->sites().size());
  EXPECT_EQ(item(loss(*later)), item(loss(*model)));
}

TEST_P(NarrowModel, LossAndGradientsAreThoseOfRoundedMatrices) {
  const Tensor mine = loss(*model), theirs = loss(*rounded);
  EXPECT_NEAR(item(mine), item(theirs), 1e-6 * item(theirs));
  backward(mine), backward(theirs);
  int compared = 0;
  for (const Parameter& p : model->parameters().all()) {
    if (!p.trained) continue;
    ++compared;
    const auto a = to_host(p.value.take_gradient()),
               b = to_host(rounded->parameters().find(p.name)->value.take_gradient());
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5) << p.name;
  }
  EXPECT_GT(compared, 4);
}

TEST_P(NarrowModel, WritesWithACacheWhatItReadsWithout) {
  const NoGradient no_gradient;
  const Tensor tokens = tokens_of({some_tokens(9, 1)});
  const auto whole = to_host(rounded->logits(rounded->hidden(pass_over(tokens))));
  KeyValueCache cache(model->config(), 1, 12);
  model->hidden(pass_over(ops::contiguous(ops::slice(tokens, 1, 0, 8))), &cache);
  const auto last = to_host(model->logits(model->hidden(pass_over(tokens_of({{some_tokens(9, 1)[8]}})), &cache)));
  for (size_t i = 0; i < last.size(); ++i) ASSERT_NEAR(last[i], whole[whole.size() - last.size() + i], 2e-5);
}

TEST_P(NarrowModel, IsSavedAsItIsAndOpenedAgain) {
  const TemporaryFolder folder("narrow");
  model->save(folder.path);
  const SafeTensors file(folder.path / "model.safetensors");
  const auto narrow_tensors =
      std::ranges::count_if(file.tensors(), [](const SavedTensor& t) { return t.dtype == RGM_BF16; });
  std::set<std::string> theirs;  // some lie in one tensor there
  for (const ParameterSlot& slot : parameter_slots(model->config()))
    if (model->parameters().find(slot.ours)->value.dtype() == RGM_BF16) theirs.insert(slot.theirs);
  EXPECT_EQ(narrow_tensors, std::ssize(theirs));
  const auto again = Model::open(folder.path, narrow), wide = Model::open(folder.path);
  EXPECT_EQ(again->parameters().sha256(), model->parameters().sha256());
  EXPECT_EQ(again->parameters().bytes(), model->parameters().bytes());
  EXPECT_EQ(wide->parameters().sha256(), model->parameters().sha256());
  EXPECT_EQ(wide->parameters().narrow_count(), 0);
}

TEST_P(NarrowModel, AFrozenCopyIsNarrowThroughout) {
  const NoGradient no_gradient;
  const auto copy = model->frozen_copy();
  for (const Parameter& p : copy->parameters().all())
    EXPECT_EQ(p.value.dtype() == RGM_BF16, p.value.rank() == 2 && p.name != "positions.weight") << p.name;
  EXPECT_NEAR(item(loss(*copy)), item(loss(*model)), 1e-3);
}

TEST_P(NarrowModel, ComputesInBfloat16WithoutAnotherCopy) {
  const NoGradient no_gradient;
  rounded->use_bfloat16(), model->use_bfloat16();
  for (const Parameter& p : model->parameters().all()) EXPECT_FALSE(p.value.dtype() == RGM_BF16 && p.half) << p.name;
  EXPECT_EQ(item(loss(*model)), item(loss(*rounded)));
}

TEST_P(NarrowModel, ABackendThatRefusesTheMixtureGetsCopies) {
  const double expected = item(loss(*rounded));
  const OnDevice other(float_only());
  const auto here = Model::create(small_config(GetParam()), byte_tokenizer(), 7, narrow);
  EXPECT_NEAR(item(loss(*here)), expected, 1e-5);
}

TEST_P(NarrowModel, WhatIsNarrowCannotBeTrained) {
  Parameters& all = model->parameters();
  try {
    all.set_trained(*all.find("embedding.weight"), true);
    FAIL() << "it was accepted";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "parameter \"embedding.weight\" is kept in bfloat16, as one that nobody trains");
  }
}

}  // namespace
}  // namespace rgm::test
