// generate_test.cpp - texts that do not depend on their neighbours, and how often a prompt is read.
#include "generate/generate.hpp"

#include "generation.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(Generation, WithoutTemperatureItIsTheMostLikelyTokenOfTheFullPass) {
  Sampling s;
  s.temperature = 0, s.max_tokens = 6, s.end_at_end_of_text = false;
  auto out = generate(*model, prompts, s);
  ASSERT_EQ(out.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(out[i].tokens, greedy(prompts[i], 6)) << i;
    EXPECT_EQ(out[i].origin, static_cast<int64_t>(i));
    EXPECT_EQ(out[i].logprobs.size(), 6U);
    EXPECT_FALSE(out[i].finished);
  }
  s.temperature = 1, s.top_k = 1;
  EXPECT_EQ(generate(*model, prompts, s)[1].tokens, out[1].tokens);
}

TEST_F(Generation, NeighboursChangeNothing) {
  Sampling s;
  s.seed = 3, s.max_tokens = 10, s.answers = 30;
  const auto alone = generate(*model, {prompts[0]}, s), together = generate(*model, prompts, s);
  ASSERT_EQ(together.size(), 90U);
  for (size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(alone[i].tokens, together[i].tokens);
    EXPECT_EQ(alone[i].logprobs, together[i].logprobs);
  }
  EXPECT_NE(alone[0].tokens, alone[1].tokens);
  EXPECT_EQ(together[30].origin, 1);
  s.seed = 4;
  EXPECT_NE(generate(*model, {prompts[0]}, s)[0].tokens, alone[0].tokens);
}

// Beside 1,500 tokens the short ones would be read as long: they are read by themselves, in whatever order they come.
TEST_F(Generation, ALongPromptIsReadByItself) {
  ModelConfig config = model->config();
  config.context = 2000;
  const auto wide = Model::create(config, model->tokenizer(), 7);
  Sampling s;
  s.seed = 3, s.max_tokens = 3, s.end_at_end_of_text = false;
  const std::vector<std::vector<int32_t>> mixed = {prompts[0], some_tokens(1500, 4), prompts[2], prompts[1]};
  TestHooks hooks(*wide);
  std::vector<std::pair<int64_t, int64_t>> passes;
  hooks.outputs["embedding"] = [&](const Tensor&, const Tensor& y) {
    passes.emplace_back(y.size(0), y.size(1));
    return y;
  };
  wide->set_hooks(&hooks);
  const auto together = generate(*wide, mixed, s);
  wide->set_hooks(nullptr);
  using Passes = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(passes, (Passes{{3, 8}, {1, 1500}, {4, 1}, {4, 1}})) << "rows and tokens: two that read, two that go on";
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(generate(*wide, {mixed[i]}, s)[0].tokens.size(), together[i].tokens.size());
  EXPECT_EQ(generate(*wide, {mixed[0]}, s)[0].tokens, together[0].tokens);
}

// 80 prompts: 64 of them go first, 16 wait. Each answer is what it is alone, and places that come free are taken: were
// they not, the second lot would take another 12 passes behind the first one's.
TEST_F(Generation, WhoWaitsTakesAPlaceThatComesFree) {
  std::vector<std::vector<int32_t>> many;
  for (uint32_t i = 0; i < 80; ++i) many.push_back(some_tokens(2 + i % 7, i + 1));
  Sampling s;
  s.seed = 5, s.max_tokens = 12, s.end_at_end_of_text = false;
  for (int byte = 0; byte < 50; ++byte)
    s.stop.emplace_back(1, static_cast<char>(byte));  // about a fifth of all tokens, so most end early
  TestHooks hooks(*model);
  model->set_hooks(&hooks);
  const auto together = generate(*model, many, s);
  const int passes = hooks.passes;
  model->set_hooks(nullptr);
  EXPECT_LT(passes, 2 * 12);
  EXPECT_GT(std::ranges::count_if(together, [](const Generated& g) { return g.finished; }), 40);
  for (const size_t i : {0, 30, 64, 79}) {  // with other neighbours, in another order of ends
    std::vector<std::vector<int32_t>> others(80, {1});
    others[i] = many[i];
    EXPECT_EQ(generate(*model, others, s)[i].tokens, together[i].tokens) << i;
  }
}

// Five answers to a prompt read it once: of 2 prompts two rows are read, and the ten go on from there.
TEST_F(Generation, AnswersToOnePromptShareItsReading) {
  Sampling s;
  s.seed = 6, s.max_tokens = 4, s.answers = 5, s.end_at_end_of_text = false;
  TestHooks hooks(*model);
  std::vector<int64_t> rows;
  hooks.outputs["embedding"] = [&](const Tensor&, const Tensor& y) {
    rows.push_back(y.size(0));
    return y;
  };
  model->set_hooks(&hooks);
  generate(*model, {prompts[0], prompts[1]}, s);
  model->set_hooks(nullptr);
  EXPECT_THAT(rows, ElementsAre(2, 10, 10, 10));
}

// Equal prompts have answers of their own, the same ones wherever the prompts are cut.
TEST_F(Generation, PromptsInPartsHaveTheAnswersOfTheWhole) {
  Sampling s;
  s.seed = 6, s.max_tokens = 6, s.temperature = 4, s.end_at_end_of_text = false;
  const std::vector<std::vector<int32_t>> equal(4, prompts[0]), two(2, prompts[0]);
  const auto whole = generate(*model, equal, s), first = generate(*model, two, s);
  s.first_prompt = 2;
  const auto second = generate(*model, two, s);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ((i < 2 ? first : second)[i % 2].tokens, whole[i].tokens) << i;
    for (size_t other = 0; other < i; ++other) EXPECT_NE(whole[other].tokens, whole[i].tokens) << other << ' ' << i;
  }
}

TEST_F(Generation, LogProbabilitiesAreThoseOfAPass) {
  Sampling s;
  s.max_tokens = 8, s.temperature = 1.3, s.top_p = 0.9, s.end_at_end_of_text = false;
  const auto out = generate(*model, prompts, s);
  const NoGradient no_gradient;
  for (size_t i = 0; i < prompts.size(); ++i) {
    auto text = prompts[i];
    text.insert(text.end(), out[i].tokens.begin(), out[i].tokens.end());
    Pass pass = pass_over(tokens_of({text}));
    pass.temperature = 1.3;
    auto logprobs = to_host(model->forward(pass, RGM_LOGPROBS)[0]);
    logprobs.erase(logprobs.begin(), logprobs.begin() + static_cast<std::ptrdiff_t>(prompts[i].size()));
    expect_near(out[i].logprobs, logprobs, 1e-3);
  }
}

// A head of 300 rows for 257 tokens: what is never drawn has its part of the probability all the same.
TEST_F(Generation, SoTheyAreWhereTheHeadHasMoreRowsThanThereAreTokens) {
  ModelConfig config = small_config();
  config.vocabulary = 300;
  const auto wide = Model::create(config, byte_tokenizer(), 7);
  Sampling s;
  s.max_tokens = 4, s.end_at_end_of_text = false;
  const Generated out = generate(*wide, {prompts[0]}, s).front();
  std::vector<int32_t> text = prompts[0];
  text.insert(text.end(), out.tokens.begin(), out.tokens.end());
  const NoGradient still;
  const auto expected = to_host(wide->forward(pass_over(tokens_of({text})), RGM_LOGPROBS)[0]);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(out.logprobs[i], expected[prompts[0].size() + i], 1e-4) << i;
}

// Keys and values of two layers, 2 x 2 x 16 numbers a slot: 7 slots of a text of 7 tokens, whatever the context.
TEST_F(Generation, RoomIsTakenForTheTextAndNotForTheContext) {
  ModelConfig config = model->config();
  config.context = 4096;
  const auto wide = Model::create(config, byte_tokenizer(), 7);
  Sampling s;
  s.temperature = 0, s.max_tokens = 4, s.end_at_end_of_text = false;
  for (const bool slide : {false, true}) {
    device->reset_peak();
    const size_t before = device->bytes_in_use();
    generate(*wide, {prompts[0]}, s, slide);
    EXPECT_LT(device->peak_bytes() - before, 4096U * 2 * 2 * 16 * sizeof(float) / 4) << slide;
  }
}

TEST_F(Generation, PromptsThatCannotBeReadAreNamed) {
  const auto message = [&](const std::vector<int32_t>& prompt) -> std::string {
    try {
      generate(*model, {prompts[0], prompt}, {});
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(message({}), HasSubstr("prompt 1 is empty"));
  EXPECT_THAT(message(some_tokens(25, 1)), HasSubstr("prompt 1 has 25 tokens"));
  EXPECT_THAT(message(some_tokens(24, 1)), HasSubstr("there is room for 24 together with an answer"));
  EXPECT_EQ(message(some_tokens(23, 1)), "");
  Sampling s;
  s.max_tokens = 2, s.temperature = 0, s.end_at_end_of_text = false;
  const auto prompt = some_tokens(30, 1);
  const std::vector<int32_t> tail(prompt.end() - 24, prompt.end());
  EXPECT_EQ(generate(*model, {prompt}, s, true)[0].tokens[0], greedy(tail, 1)[0]);
}

TEST_F(Generation, WhoClassifiesWritesNoText) {
  model->add_head(2, {"cat", "dog"}, 3);
  try {
    generate(*model, prompts, {});
    ADD_FAILURE() << "it wrote";
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    EXPECT_THAT(e.what(), HasSubstr("this model classifies and cannot write text"));
  }
}

TEST_F(Generation, VirtualTokensTakePlaceInTheContext) {
  TestHooks hooks(*model);
  hooks.front = sample({4, 16}, 5);
  model->set_hooks(&hooks);
  Sampling s;
  s.temperature = 0, s.max_tokens = 40, s.end_at_end_of_text = false;
  const auto out = generate(*model, {prompts[0]}, s);
  EXPECT_EQ(out[0].tokens.size(), 17U);
  EXPECT_EQ(std::vector<int32_t>(out[0].tokens.begin(), out[0].tokens.begin() + 5), greedy(prompts[0], 5));
  EXPECT_EQ(generate(*model, {prompts[0]}, s, true)[0].tokens.size(), 40U);
}

}  // namespace
}  // namespace rgm::test
