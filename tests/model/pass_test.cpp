// pass_test.cpp - what a pass computes: packed rows, log-probabilities, decoding with a cache, and its refusals.
#include "model/small.hpp"
#include "model/transformer.hpp"
#include "tensor/kernel_profile.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Families : public testing::TestWithParam<std::string> {
 protected:
  OnDevice device;
  NoGradient no_gradient;
  std::shared_ptr<Model> model = small_model(GetParam().c_str());
};
INSTANTIATE_TEST_SUITE_P(All, Families, testing::ValuesIn(family_ids()), [](const auto& info) { return info.param; });

template <class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
  return "";
}

TEST_P(Families, LogProbabilitiesAreThoseOfTheLogits) {
  const Tensor tokens = tokens_of({some_tokens(8, 1), some_tokens(8, 2)});
  Pass pass = pass_over(tokens);
  pass.temperature = 0.7;
  const auto out = model->forward(pass, RGM_LOGPROBS | RGM_ENTROPY | RGM_HIDDEN | RGM_LOGITS);
  ASSERT_EQ(out.size(), 4U);
  const Tensor log_p = ops::log_softmax(ops::slice(out[3], 1, 0, 7), -1);
  const Tensor targets = ops::contiguous(ops::slice(tokens, 1, 1, 8));
  expect_near(ops::slice(out[0], 1, 1, 8), ops::pick(log_p, targets), 1e-4);
  expect_near(ops::slice(out[1], 1, 1, 8), ops::reduce(RGM_SUM, 4, -(ops::exp(log_p) * log_p)), 1e-3);
  EXPECT_THAT(to_host(ops::slice(out[0], 1, 0, 1)), ElementsAre(0, 0));
  expect_near(model->forward(pass, RGM_LOGPROBS)[0], out[0], 1e-5);
  const Tensor weights = sample({2, 8}, 3);
  EXPECT_NEAR(item(model->cross_entropy(pass, weights)), item(ops::sum(-(weights * out[0]))), 1e-3);
  EXPECT_NEAR(item(model->divergence(*model, pass, weights, RGM_FORWARD_KL)), 0, 1e-4);
}

TEST_P(Families, TokensOfWeightZeroHaveNoLogProbability) {
  Pass pass = pass_over(tokens_of({some_tokens(6, 1), some_tokens(6, 2)}));
  const Tensor weights = values({0, 0, 0.5, 0, 1, -2, 0, 1, 0, 0, 0, 0}, {2, 6});
  const auto all = model->forward(pass, RGM_LOGPROBS | RGM_ENTROPY);
  pass.weights = weights;
  const auto some = model->forward(pass, RGM_LOGPROBS | RGM_ENTROPY);
  const Tensor mask = values({0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0}, {2, 6});
  for (size_t i = 0; i < 2; ++i) {
    expect_near(some[i], mask * all[i], 1e-5);
    EXPECT_THAT(to_host(ops::slice(some[i], 1, 0, 2)), ElementsAre(0, 0, 0, testing::Not(0)));
  }
  expect_near(model->forward(pass, RGM_LOGPROBS | RGM_HIDDEN)[0], some[0], 1e-5);
  EXPECT_NEAR(item(model->cross_entropy(pass, weights)), item(ops::sum(-(weights * all[0]))), 1e-3);
}

TEST(Passes, TokensOfWeightZeroChangeNoGradient) {
  const OnDevice device;
  const std::shared_ptr<Model> model = small_model("gpt2");
  const Tensor weights = values({0, 0, 0.5, 0, 1, -2}, {1, 6}),
               embedding = model->parameters().find("embedding.weight")->value;
  Pass pass = pass_over(tokens_of({some_tokens(6, 1)}));
  const auto gradient = [&] {
    backward(ops::sum(weights * model->forward(pass, RGM_LOGPROBS)[0]));
    return to_host(embedding.take_gradient());
  };
  const std::vector<float> all = gradient();
  pass.weights = weights;
  EXPECT_THAT(gradient(), testing::Pointwise(testing::FloatNear(1e-5F), all));
}

TEST_P(Families, PackedRowsEqualTheRowsAlone) {
  const auto a = some_tokens(5, 1), b = some_tokens(7, 2);
  auto both = a;
  both.insert(both.end(), b.begin(), b.end());
  both.resize(14);
  Pass pass = pass_over(tokens_of({both}));
  pass.segments = indices({1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0, 0}, {1, 14});
  const auto packed = model->forward(pass, RGM_LOGPROBS | RGM_LOGITS);
  const auto first = model->forward(pass_over(tokens_of({a})), RGM_LOGPROBS | RGM_LOGITS),
             second = model->forward(pass_over(tokens_of({b})), RGM_LOGPROBS | RGM_LOGITS);
  expect_near(ops::slice(packed[1], 1, 0, 5), first[1], 1e-4);
  expect_near(ops::slice(packed[1], 1, 5, 12), second[1], 1e-4);
  expect_near(ops::slice(packed[0], 1, 0, 5), first[0], 1e-4);
  expect_near(ops::slice(packed[0], 1, 5, 12), second[0], 1e-4);  // 0 in front: nothing precedes it
  EXPECT_THAT(to_host(ops::slice(packed[0], 1, 12, 14)), ElementsAre(0, 0));
  expect_near(model->forward(pass, RGM_LOGPROBS)[0], packed[0], 1e-5);
}

TEST_P(Families, ACacheChangesNothing) {
  const std::vector<std::vector<int32_t>> rows = {some_tokens(9, 1), some_tokens(9, 2)};
  const Tensor all = model->hidden(pass_over(tokens_of(rows)));
  KeyValueCache cache(model->config(), 2, 12);
  const Tensor tokens = tokens_of(rows);
  const auto piece = [&](int64_t begin, int64_t end) {
    return pass_over(ops::contiguous(ops::slice(tokens, 1, begin, end)));
  };
  expect_near(model->hidden(piece(0, 4), &cache), ops::slice(all, 1, 0, 4), 1e-4);
  expect_near(model->hidden(piece(4, 7), &cache), ops::slice(all, 1, 4, 7), 1e-4);
  expect_near(model->hidden(piece(7, 8), &cache), ops::slice(all, 1, 7, 8), 1e-4);
  EXPECT_THAT(cache.lengths, ElementsAre(8, 8));
}

TEST_P(Families, RowsOfDifferentLengthsDecodeAsIfAlone) {
  const auto a = some_tokens(3, 1), b = some_tokens(6, 2), next_a = some_tokens(3, 3), next_b = some_tokens(3, 4);
  KeyValueCache cache(model->config(), 2, 12);
  auto padded = a;
  padded.resize(6, 99);
  Pass prefill = pass_over(tokens_of({padded, b}));
  prefill.counts = {3, 6};
  model->hidden(prefill, &cache);
  auto text_a = a, text_b = b;
  for (size_t i = 0; i < 3; ++i) {
    text_a.push_back(next_a[i]), text_b.push_back(next_b[i]);
    const Tensor y = model->hidden(pass_over(tokens_of({{next_a[i]}, {next_b[i]}})), &cache);
    const Tensor alone_a = model->hidden(pass_over(tokens_of({text_a}))),
                 alone_b = model->hidden(pass_over(tokens_of({text_b})));
    expect_near(ops::slice(y, 0, 0, 1), ops::slice(alone_a, 1, alone_a.size(1) - 1, alone_a.size(1)), 1e-4);
    expect_near(ops::slice(y, 0, 1, 2), ops::slice(alone_b, 1, alone_b.size(1) - 1, alone_b.size(1)), 1e-4);
  }
  EXPECT_THAT(message([&] { model->hidden(pass_over(tokens_of({a, a})), &cache); }), HasSubstr("token by token"));
}

TEST(Positions, CountFromZeroInEachSegment) {
  const OnDevice device;
  const Tensor segments = indices({1, 1, 2, 2, 2, 0, 1, 2, 3, 3, 0, 0}, {2, 6});
  EXPECT_THAT(to_host<int32_t>(positions_in_segments(segments, 100)), ElementsAre(0, 1, 0, 1, 2, 0, 0, 0, 0, 1, 0, 1));
  // A batch has more examples than its rows have tokens.
  const Tensor many = indices({40, 40, 41, 41, 41, 0, 7, 90, 90, 91, 91, 91}, {2, 6});
  EXPECT_THAT(to_host<int32_t>(positions_in_segments(many, 100)), ElementsAre(0, 1, 0, 1, 2, 0, 0, 0, 1, 0, 1, 2));
}

TEST(Passes, DropoutActsWhereTheTapeRecordsInTraining) {
  const OnDevice device;
  ModelConfig config = small_config();
  config.dropout = 0.5;
  const auto model = Model::create(config, byte_tokenizer(), 7);
  const Pass pass = pass_over(tokens_of({some_tokens(8, 1)}));
  const auto hidden = [&](uint64_t step) {
    const RandomScope scope({.seed = 1, .step = step});
    return to_host(model->hidden(pass));
  };
  const auto plain = hidden(1);
  EXPECT_EQ(hidden(2), plain);
  model->training = true;
  const auto dropped = hidden(1);
  EXPECT_NE(dropped, plain);
  EXPECT_EQ(hidden(1), dropped);
  EXPECT_NE(hidden(2), dropped);
  const NoGradient no_gradient;
  EXPECT_EQ(hidden(1), plain);
}

TEST(Passes, WhatAModelLacksIsUnsupported) {
  const OnDevice device;
  try {
    small_model()->forward(pass_over(tokens_of({{1, 2}})), RGM_HEAD);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_UNSUPPORTED);
  }
}

// Both know 257 tokens, and the head of one has 3 rows more, as when a vocabulary is padded.
TEST(Passes, HeadsOfUnequalSizeAreComparedInTheRowsOfBoth) {
  const OnDevice device;
  ModelConfig padded = small_config();
  padded.vocabulary = 260;
  const auto narrow = small_model(), wide = Model::create(padded, byte_tokenizer(), 8);
  const Pass pass = pass_over(tokens_of({some_tokens(5, 1)}));
  const Tensor ones = ops::full({1, 5}, 1);
  const auto known = [&](const Model& model) {
    const NoGradient no_gradient;
    const Tensor logits = ops::slice(model.forward(pass, RGM_LOGITS)[0], 1, 0, 4);
    return ops::log_softmax(ops::slice(logits, 2, 0, 257), -1);
  };
  const auto apart = [](const Tensor& p, const Tensor& q) { return item(ops::sum(ops::exp(p) * (p - q))); };
  const Tensor of_narrow = known(*narrow), of_wide = known(*wide);
  EXPECT_NEAR(item(narrow->divergence(*wide, pass, ones, RGM_FORWARD_KL)), apart(of_wide, of_narrow), 1e-4);
  const Tensor loss = wide->divergence(*narrow, pass, ones, RGM_FORWARD_KL);
  EXPECT_NEAR(item(loss), apart(of_narrow, of_wide), 1e-4);
  backward(loss);
  const Tensor gradient = wide->parameters().find("embedding.weight")->value.take_gradient();
  ASSERT_EQ(gradient.size(0), 260);
  EXPECT_THAT(to_host(ops::slice(gradient, 0, 0, 257)), testing::Contains(testing::Not(0)));
  EXPECT_THAT(to_host(ops::slice(gradient, 0, 257, 260)), testing::Each(0));
}

// Of the three tokens of weight 1, the fourth one begins a segment: nothing predicts it.
TEST(Passes, ADivergenceMakesLogitsOnlyForTokensThatCount) {
  const OnDevice device;
  const auto student = small_model(), teacher = small_model("gpt2", 8);
  Pass pass = pass_over(tokens_of({some_tokens(6, 1)}));
  pass.segments = indices({1, 1, 1, 2, 2, 0}, {1, 6});
  const Tensor weights = values({0, 0, 1, 1, 1, 0}, {1, 6});
  const KernelProfile profile(current_device());
  student->divergence(*teacher, pass, weights, RGM_REVERSE_KL);
  EXPECT_EQ(profile.times().at("matmul 2x16x257").calls, 2U);  // the student's and the teacher's
}

TEST(Passes, AContextIsExceededByName) {
  const OnDevice device;
  const auto model = small_model();
  const NoGradient no_gradient;
  const Pass pass = pass_over(tokens_of({some_tokens(25, 1)}));
  EXPECT_THAT(message([&] { model->hidden(pass); }), HasSubstr("25 tokens do not fit into the model's context of 24"));
  EXPECT_EQ(model->forward(pass, RGM_LOGPROBS)[0].size(1), 25);  // the last is not read
}

}  // namespace
}  // namespace rgm::test
