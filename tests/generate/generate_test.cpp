// generate_test.cpp - drawing tokens, and texts that do not depend on their neighbours.
#include "generate/generate.hpp"

#include <algorithm>
#include <numeric>

#include "base/philox.hpp"
#include "model/small.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// With the draw that is this part of 2^32
int32_t drawn(std::span<const float> logprobs, const Sampling& s, double part) {
  return sample(logprobs, s, static_cast<uint32_t>(part * 0x1p32));
}

TEST(Sample, TakesTokensInFallingOrderOfProbability) {
  const std::vector<float> logits = {std::log(0.1F), std::log(0.5F), std::log(0.25F), std::log(0.15F)};
  Sampling s;
  EXPECT_EQ(drawn(logits, s, 0.49), 1);
  EXPECT_EQ(drawn(logits, s, 0.51), 2);
  EXPECT_EQ(drawn(logits, s, 0.76), 3);
  EXPECT_EQ(drawn(logits, s, 0.9999), 0);
  s.temperature = 0;
  EXPECT_EQ(drawn(logits, s, 0.9999), 1);
}

TEST(Sample, TopKAndTopPLeaveTheMostLikely) {
  const std::vector<float> logits = {std::log(0.1F), std::log(0.5F), std::log(0.25F), std::log(0.15F)};
  Sampling s;
  s.top_k = 2;
  EXPECT_EQ(drawn(logits, s, 0.66), 1);  // 0.5 of 0.75
  EXPECT_EQ(drawn(logits, s, 0.68), 2);
  s.top_k = 0;
  s.top_p = 0.6;  // 0.5 is not enough, 0.75 is
  EXPECT_EQ(drawn(logits, s, 0.999), 2);
  s.top_p = 0.4;
  EXPECT_EQ(drawn(logits, s, 0.999), 1);
}

TEST(Sample, AFlatDistributionIsDrawnFlat) {
  const std::vector<float> logits(1000, std::log(0.001F));
  for (int32_t i = 0; i < 1000; i += 37) EXPECT_EQ(drawn(logits, Sampling{}, (i + 0.5) / 1000), i);
}

// By the formula of rgm_sample -1.9375 counts 158399660032, of 2^40; where products and sums round in one, 16384 more.
TEST(Sample, AProbabilityCountsAsTheContractSaysToTheBit) {
  const std::vector<float> logprobs = {-1.9375F, -2};
  constexpr uint32_t behind = 158399660032 / 256;  // the first draw of 2^32 that is behind them
  EXPECT_EQ(sample(logprobs, Sampling{}, behind - 1), 0);
  EXPECT_EQ(sample(logprobs, Sampling{}, behind), 1);
}

using OnABackend = TensorTest;

TEST_F(OnABackend, DrawsAreThoseOfTheHost) {
  const NoGradient no_gradient;
  for (const int64_t V : {1, 3, 200, 3000})
    for (const double spread : {0.0, 4.0})
      for (const auto& [top_k, top_p] : {std::pair{0, 1.0}, {0, 0.7}, {50, 1.0}, {2, 0.9}, {1, 1.0}}) {
        const Tensor logprobs = ops::log_softmax(ops::affine(rgm::test::sample({20, V}, 3), spread, 0), 1);
        std::vector<int32_t> draws(20);
        for (size_t b = 0; b < 20; ++b) draws[b] = static_cast<int32_t>(mix(7, b, static_cast<uint32_t>(V)) >> 32);
        const auto drawn = ops::sample(logprobs, from_host(std::span<const int32_t>(draws), {20}), top_k, top_p);
        ASSERT_TRUE(drawn);
        const auto values = to_host<float>(logprobs), chosen = to_host<float>(drawn->logprobs);
        const auto tokens = to_host<int32_t>(drawn->tokens);
        Sampling s;
        s.top_k = top_k, s.top_p = top_p;
        for (size_t b = 0; b < 20; ++b) {
          const auto row = std::span(values).subspan(b * static_cast<size_t>(V), static_cast<size_t>(V));
          EXPECT_EQ(tokens[b], rgm::sample(row, s, static_cast<uint32_t>(draws[b])))
              << V << ' ' << top_k << ' ' << top_p;
          EXPECT_EQ(chosen[b], row[static_cast<size_t>(tokens[b])]);
        }
      }
}

TEST_F(OnABackend, ARowWithoutFiniteLogProbabilitiesHasNoToken) {
  const std::vector<float> values = {-1, NAN, -1, -2, -INFINITY, -INFINITY};
  const std::vector<int32_t> draws = {0, 0, 0};
  const auto drawn = ops::sample(from_host(std::span<const float>(values), {3, 2}),
                                 from_host(std::span<const int32_t>(draws), {3}), 0, 1);
  ASSERT_TRUE(drawn);
  EXPECT_THAT(to_host<int32_t>(drawn->tokens), ElementsAre(-1, 0, -1));
}

// 5,000 tokens, shuffled, whose probabilities fall slowly: the same as by sorting all of them.
TEST(Sample, ADeepDrawIsThatOfASortedList) {
  std::vector<double> p(5000);
  for (size_t i = 0; i < p.size(); ++i) p[i] = 1 / (1000.0 + double(i * 2221 % 5000));
  const double all = std::accumulate(p.begin(), p.end(), 0.0);
  std::vector<float> logprobs;
  for (const double x : p) logprobs.push_back(static_cast<float>(std::log(x / all)));
  std::vector<int32_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](int32_t a, int32_t b) { return p[size_t(a)] > p[size_t(b)]; });
  double reached = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const double middle = (reached + p[size_t(order[i])] / 2) / all;
    if (i % 97 == 0) {
      EXPECT_EQ(drawn(logprobs, Sampling{}, middle), order[i]) << i;
    }
    reached += p[size_t(order[i])];
  }
}

class Generation : public TensorTest {
 protected:
  std::vector<int32_t> greedy(std::vector<int32_t> text, int64_t n) const {
    const NoGradient no_gradient;
    std::vector<int32_t> out;
    for (int64_t i = 0; i < n; ++i) {
      const auto logits = to_host(model->forward(pass_over(tokens_of({text})), RGM_LOGITS)[0]);
      const auto last = logits.end() - 257;
      out.push_back(static_cast<int32_t>(std::max_element(last, logits.end()) - last));
      text.push_back(out.back());
    }
    return out;
  }
  std::shared_ptr<Model> model = small_model();
  const std::vector<std::vector<int32_t>> prompts = {some_tokens(3, 1), some_tokens(8, 2), some_tokens(5, 3)};
};

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
