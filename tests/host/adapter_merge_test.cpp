// adapter_merge_test.cpp - what is folded into the base computes the same; what cannot be says why.
#include "host/plugged.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

class AdapterMerge : public TensorTest {};

double largest(const Tensor& x) {
  double out = 0;
  for (const float value : to_host(x)) out = std::max(out, std::abs(double(value)));
  return out;
}

TEST_F(AdapterMerge, AMergedModelComputesTheSame) {
  constexpr const char* mergeable[][2] = {{"lora", "{rank: 2, sites: [\"*.attention.*\", \"*.mlp.*\"]}"},
                                          {"lora", "{rank: 4, rslora: true}"},
                                          {"lora", "{rank: 2, dora: true, sites: [\"*.attention.*\", \"*.mlp.*\"]}"},
                                          {"ia3", "{}"}};
  const NoGradient no_gradient;
  for (const char* family : {"gpt2", "llama"})
    for (const auto& [id, yaml] : mergeable) {
      SCOPED_TRACE(std::string(id) + yaml + family);
      const Adapted adapted(id, yaml, {}, family);
      adapted.disturb();
      const Tensor before = adapted.logprobs();
      adapted.adapters->merge();
      EXPECT_FALSE(adapted.adapters->has_output(0));
      const Tensor after = adapted.logprobs();
      expect_near(after, before, 1e-4 * largest(before));
      // and that is not what the base computes
      const Adapted base(id, yaml, {}, family);
      EXPECT_GT(item(ops::mean(ops::unary(RGM_ABS, base.logprobs() - after))), 0.01);
    }
}

TEST_F(AdapterMerge, AnEmbeddingIsMergedWhereItIsNotTheHead) {
  const NoGradient no_gradient;
  const Adapted adapted("lora", "{rank: 2, sites: embedding}", {}, "llama");
  ASSERT_FALSE(adapted.model->config().is_tied());
  adapted.disturb();
  const Tensor before = adapted.logprobs();
  adapted.adapters->merge();
  expect_near(adapted.logprobs(), before, 1e-4 * largest(before));
  EXPECT_THAT(failure_of([] { Adapted("lora", "{rank: 2, sites: embedding}").adapters->merge(); }),
              HasSubstr("it changes the embedding, and the head shares its weight"));
}

TEST_F(AdapterMerge, WhatCannotBeMergedSaysWhy) {
  EXPECT_THAT(failure_of([] { Adapted("prefix", "{length: 3}").adapters->merge(); }),
              HasSubstr("adapter \"prefix\" cannot be merged: it puts keys and values in front of the text"));
  EXPECT_THAT(failure_of([] { Adapted("soft_prompt", "{length: 3}").adapters->merge(); }),
              HasSubstr("it puts vectors in front of the text"));
  EXPECT_THAT(failure_of([] { Adapted("series").adapters->merge(); }),
              HasSubstr("it computes more than a linear layer does; give it with --adapter instead"));
}

}  // namespace
}  // namespace rgm::test
