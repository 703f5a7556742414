// endings_test.cpp - what ends an answer: texts, the model's ends, and the room there is.
#include "generation.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(Generation, StopsAreKeptAndEndTheAnswer) {
  Sampling s;
  s.temperature = 0, s.max_tokens = 6, s.end_at_end_of_text = false;
  const auto whole = generate(*model, {prompts[0]}, s)[0].tokens;
  s.stop = {model->tokenizer()->decode_on(std::span(whole).subspan(1, 2))};
  std::vector<std::pair<int64_t, int32_t>> seen;
  const auto out = generate(*model, {prompts[0]}, s, false, [&](int64_t a, int32_t t) { seen.emplace_back(a, t); });
  EXPECT_TRUE(out[0].finished);
  EXPECT_LE(out[0].tokens.size(), 3U);
  EXPECT_EQ(seen.size(), out[0].tokens.size());
  EXPECT_EQ(seen.back(), std::pair(int64_t{0}, out[0].tokens.back()));
}

// Its bytes need not be the last ones: "cd" is in "abcde", whose last token may write "de".
TEST_F(Generation, ATextEndsTheAnswerWhereverATokenCompletesIt) {
  Sampling s;
  s.temperature = 0, s.max_tokens = 6, s.end_at_end_of_text = false;
  const auto whole = generate(*model, {prompts[0]}, s)[0].tokens;
  const TokenizerPtr tokenizer = model->tokenizer();
  const auto text_of = [&](size_t begin, size_t end) {
    return tokenizer->decode_on(std::span(whole).subspan(begin, end - begin));
  };
  s.stop = {text_of(1, 3)};
  const auto stopped = generate(*model, {prompts[0]}, s)[0];
  EXPECT_TRUE(stopped.finished);
  ASSERT_LE(stopped.tokens.size(), 3U);
  EXPECT_TRUE(tokenizer->decode_on(stopped.tokens).ends_with(s.stop[0]));
  s.stop = {"never written by the model"};
  const auto free = generate(*model, {prompts[0]}, s)[0];
  EXPECT_EQ(free.tokens, whole);
  EXPECT_FALSE(free.finished);
}

// config.json and generation_config.json of a model that is spoken to name more than the tokenizer's one.
TEST_F(Generation, EveryEndOfTheModelsFilesEndsTheAnswer) {
  ModelConfig config = model->config();
  const auto written = [&] {
    Sampling s;
    s.temperature = 0, s.max_tokens = 6;
    return generate(*Model::create(config, byte_tokenizer(), 7), {prompts[0]}, s).front();
  };
  const std::vector<int32_t> whole = written().tokens;
  ASSERT_GT(whole.size(), 2U);
  const std::vector<int32_t> ended(whole.begin(), std::ranges::find(whole, whole[2]) + 1);
  config.others["eos_token_id"] = {256, whole[2]};
  EXPECT_EQ(written().tokens, ended);
  EXPECT_TRUE(written().finished);
  EXPECT_THAT(ends_of_text(*Model::create(config, byte_tokenizer(), 7)), ElementsAre(256, whole[2], 256));
  config.others.clear();
  config.generation["eos_token_id"] = whole[2];
  EXPECT_EQ(written().tokens, ended);
}

TEST_F(Generation, ThePositionsEndTheAnswerUnlessItSlides) {
  Sampling s;
  s.temperature = 0, s.max_tokens = 40, s.end_at_end_of_text = false;
  const auto out = generate(*model, prompts, s);
  EXPECT_EQ(out[0].tokens.size(), 21U);  // the context has 24
  EXPECT_EQ(out[1].tokens.size(), 16U);
  EXPECT_FALSE(out[0].finished);

  const auto longer = generate(*model, prompts, s, true);
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(longer[i].tokens.size(), 40U);
    EXPECT_TRUE(std::equal(out[i].tokens.begin(), out[i].tokens.end(), longer[i].tokens.begin()));
  }
  // The 25th token of the text comes; then the last 12 are all that is known.
  auto text = prompts[0];
  text.insert(text.end(), longer[0].tokens.begin(), longer[0].tokens.begin() + 22);
  EXPECT_EQ(longer[0].tokens[22], greedy({text.end() - 12, text.end()}, 1)[0]);
}

// 3 tokens of a prompt and 7 of an answer, though the context has 24.
TEST_F(Generation, AnAnswerEndsWhereItsReadersHaveNoRoom) {
  Sampling s;
  s.temperature = 0, s.max_tokens = 40, s.end_at_end_of_text = false, s.room = 10;
  const auto out = generate(*model, {prompts[0]}, s);
  EXPECT_EQ(out[0].tokens, greedy(prompts[0], 7));
  EXPECT_FALSE(out[0].finished);
}

TEST(PromptRoom, AnAnswerHasItsTokensOrHalfOfTheContext) {
  EXPECT_EQ(prompt_room(48, 8), 40);
  EXPECT_EQ(prompt_room(48, 24), 24);
  EXPECT_EQ(prompt_room(48, 1000), 24);
  EXPECT_EQ(prompt_room(48, 0), 48);
  EXPECT_EQ(prompt_room(1, 8), 1);
}

}  // namespace
}  // namespace rgm::test
