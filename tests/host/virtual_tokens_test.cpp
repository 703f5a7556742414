// virtual_tokens_test.cpp - vectors in front of the text: in no output, and read as the text that they start from.
#include <cmath>
#include <numeric>

#include "host/adapted.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

TEST_F(AdaptersTest, VirtualTokensAppearInNoOutput) {
  for (const char* id : {"prefix", "soft_prompt"}) {
    const Adapted adapted(id, "{length: 3}");
    adapted.disturb();
    const Tensor y = adapted.logprobs();
    EXPECT_EQ(y.shape(), (Shape{2, 9})) << id;
    EXPECT_NE(to_host(y), to_host(base())) << id;
    EXPECT_EQ(adapted.model->virtual_tokens(), 3) << id;
  }
}

// Of all tokens that may stand first one does, so their probabilities sum to 1; without a prompt none is predicted.
TEST_F(AdaptersTest, BehindAPromptTheFirstTokenIsPredictedToo) {
  for (const char* family : {"gpt2", "llama"}) {
    const Adapted adapted("soft_prompt", "{length: 3}", {}, family);
    adapted.disturb();
    std::vector<std::vector<int32_t>> each(257);
    for (int32_t i = 0; i < 257; ++i) each[static_cast<size_t>(i)] = {i};
    const auto logprobs = to_host(adapted.model->forward(pass_over(tokens_of(each)), RGM_LOGPROBS)[0]);
    EXPECT_NEAR(std::accumulate(logprobs.begin(), logprobs.end(), 0.0,
                                [](double sum, float p) { return sum + std::exp(double(p)); }),
                1, 1e-5);
    // Whatever is read behind it, and with which outputs.
    const auto first = to_host(adapted.model->forward(pass_over(tokens_of({{7, 1, 2}})), RGM_LOGPROBS)[0]);
    EXPECT_NEAR(first[0], logprobs[7], 1e-5);
    const auto whole = adapted.model->forward(pass_over(tokens_of({{7, 1, 2}})), RGM_LOGPROBS | RGM_LOGITS);
    EXPECT_EQ(whole[1].shape(), (Shape{1, 3, 257}));
    expect_near(whole[0], adapted.model->forward(pass_over(tokens_of({{7, 1, 2}})), RGM_LOGPROBS)[0], 1e-5);
    EXPECT_EQ(to_host(small_model(family)->forward(pass_over(tokens_of({{7}})), RGM_LOGPROBS)[0])[0], 0);
  }
}

// Two examples of 4 and 5 tokens in one row, and padding: each is predicted as it is alone, and a loss is their sum.
TEST_F(AdaptersTest, APromptPredictsTheFirstTokenOfEveryExampleOfARow) {
  const Adapted adapted("soft_prompt", "{length: 3}");
  adapted.disturb();
  const std::vector<int32_t> a = some_tokens(4, 1), b = some_tokens(5, 2);
  std::vector<int32_t> row = a;
  row.insert(row.end(), b.begin(), b.end());
  row.push_back(0);
  const Pass packed{.tokens = tokens_of({row}), .segments = tokens_of({{1, 1, 1, 1, 2, 2, 2, 2, 2, 0}})};
  const auto together = to_host(adapted.model->forward(packed, RGM_LOGPROBS)[0]);
  double sum = 0;
  size_t at = 0;
  for (const auto& example : {a, b})
    for (const float p : to_host(adapted.model->forward(pass_over(tokens_of({example})), RGM_LOGPROBS)[0])) {
      EXPECT_NEAR(together[at++], p, 1e-4);
      sum -= p;
    }
  EXPECT_EQ(together[9], 0);
  const Tensor loss = adapted.model->cross_entropy(packed, ops::full({1, 10}, 1));
  EXPECT_NEAR(item(loss), sum, 1e-4);
  backward(loss);
  const Tensor packed_gradient = adapted.adapters->parameters().all()[0].value.gradient();
  const Adapted alone("soft_prompt", "{length: 3}");
  alone.disturb();
  for (const auto& example : {a, b})
    backward(alone.model->cross_entropy(pass_over(tokens_of({example})), ops::full({1, std::ssize(example)}, 1)));
  expect_near(packed_gradient, alone.adapters->parameters().all()[0].value.gradient(), 1e-4);
}

// Also where a model multiplies its embedding, as Gemma does, whose window here is 3 tokens long.
TEST_F(AdaptersTest, ASoftPromptOfATextIsReadAsTheText) {
  for (const char* family : {"gpt2", "llama", "gemma2"}) {
    SCOPED_TRACE(family);
    const Adapted adapted("soft_prompt", "{length: 2, init: text, text: ab}", {}, family);
    const NoGradient still;
    const Tensor behind = adapted.model->forward(pass_over(tokens_of({{7}})), RGM_LOGITS)[0];
    const auto plain = small_model(family);
    const Tensor whole = plain->forward(pass_over(tokens_of({{'a', 'b', 7}})), RGM_LOGITS)[0];
    expect_near(behind, ops::contiguous(ops::slice(whole, 1, 2, 3)), 1e-4);
  }
}

// "ab" repeated to three tokens: what is read behind such a prefix finds what it would find behind the text. (A window
// tells them apart: a prefix is seen from outside of it.)
TEST_F(AdaptersTest, APrefixOfATextIsReadAsTheText) {
  for (const char* family : {"gpt2", "llama", "gpt_neox"}) {
    SCOPED_TRACE(family);
    const Adapted adapted("prefix", "{length: 3, init: text, text: ab}", {}, family);
    const NoGradient still;
    const Tensor behind = adapted.model->forward(pass_over(tokens_of({{7, 1, 2, 9}})), RGM_LOGITS)[0];
    const auto plain = small_model(family);
    const Tensor whole = plain->forward(pass_over(tokens_of({{'a', 'b', 'a', 7, 1, 2, 9}})), RGM_LOGITS)[0];
    expect_near(behind, ops::contiguous(ops::slice(whole, 1, 3, 7)), 1e-4);
  }
  EXPECT_THAT(failure_of([] { Adapted("prefix", "{init: text}"); }), HasSubstr("init text needs `text`"));
  EXPECT_THAT(failure_of([] { Adapted("prefix", "{init: text, text: ab, projection: true}"); }),
              HasSubstr("a projection cannot start from a text"));
}

// Values of 0 add nothing; keys that were 0, too, would learn the same in every vector.
TEST_F(AdaptersTest, AZeroPrefixHasKeysThatDifferAndNoValues) {
  for (const char* yaml : {"{length: 3, init: zero}", "{length: 3, init: zero, projection: true}"}) {
    SCOPED_TRACE(yaml);
    const ScratchFolder folder;
    Adapted("prefix", yaml).adapters->save(folder.path(), "base");
    const SafeTensors file(folder.path() / "adapter_model.safetensors");
    const auto* all = reinterpret_cast<const float*>(file.find("prompt_embeddings")->data.data());
    for (int layer = 0; layer < 2; ++layer)  // 16 channels of keys, then of values
      for (int channel = 0; channel < 16; ++channel) {
        const float* const key = all + 32 * layer + channel;
        EXPECT_NE(key[0], key[64]);
        EXPECT_NE(key[64], key[128]);
        for (int vector = 0; vector < 3; ++vector) EXPECT_EQ(key[16 + 64 * vector], 0);
      }
  }
}

}  // namespace
}  // namespace rgm::test
