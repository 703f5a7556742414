// row_adapters_test.cpp - rows of one batch, each with its own adapter, compute what each would alone.
#include "host/row_adapters.hpp"
#include "generate/generate.hpp"
#include "generate/score.hpp"
#include "host/plugged.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

// A small model with four sets of adapters, each away from where it starts.
struct Served {
  std::shared_ptr<Model> model = small_model();
  RowAdapters rows{model};

  Served() {
    for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, false);
    add("low_rank", "lora", "{rank: 2}", 10);
    add("scaled", "ia3", "{}", 20);
    add("prompted", "soft_prompt", "{length: 3}", 30);
    add("prompted_too", "soft_prompt", "{length: 3}", 40);
    add("beside", "parallel", "{size: 4}", 50);
    add("in_front", "prefix", "{length: 3}", 60);
    add("words", "lora", "{rank: 2, sites: [embedding, \"*.attention.value\"]}", 70);
  }
  void add(const std::string& name, const char* id, const char* yaml, uint32_t seed) {
    const NoGradient no_gradient;
    auto set = std::make_unique<Adapters>(model, seed);
    set->add(id, fixture(id).table<rgm_adapter>(), *options(id, yaml));
    for (Parameter& p : set->parameters().all()) assign(p.value, p.value + sample(p.value.shape(), ++seed, -0.5, 0.5));
    rows.add(name, std::move(set));
  }
  // Log-probabilities of the same 9 tokens in each row, which these adapters serve.
  std::vector<float> logprobs(const std::vector<int32_t>& adapters) const {
    Pass pass = pass_over(tokens_of(std::vector(adapters.size(), some_tokens(9, 1))));
    pass.adapters = adapters;
    return to_host(model->forward(pass, RGM_LOGPROBS)[0]);
  }
};

constexpr int32_t low_rank = 0, scaled = 1, prompted = 2, prompted_too = 3, beside = 4, in_front = 5, words = 6;

class RowAdaptersTest : public TensorTest {};

TEST_F(RowAdaptersTest, EachRowComputesWhatItWouldAlone) {
  const Served served;
  const std::vector<int32_t> mixed{low_rank, low_rank, no_adapter, scaled, beside, words};
  const std::vector<float> together = served.logprobs(mixed);
  for (size_t row = 0; row < mixed.size(); ++row) {
    const std::vector<float> own(&together[row * 9], &together[row * 9] + 9);
    EXPECT_THAT(own, testing::Pointwise(testing::FloatNear(1e-5F), served.logprobs({mixed[row]}))) << row;
    for (size_t other = 0; other < row; ++other)
      EXPECT_EQ(mixed[row] == mixed[other],
                std::equal(own.begin(), own.end(), together.begin() + static_cast<ptrdiff_t>(other * 9)));
  }
  const std::vector<float> base(&together[2 * 9], &together[2 * 9] + 9);
  EXPECT_THAT(base, testing::Pointwise(
                        testing::FloatNear(1e-5F),
                        to_host(small_model()->forward(pass_over(tokens_of({some_tokens(9, 1)})), RGM_LOGPROBS)[0])));
}

TEST_F(RowAdaptersTest, EachRowHasItsOwnPrompt) {
  const Served served;
  const std::vector<float> together = served.logprobs({prompted, prompted_too});
  const std::vector<float> first(together.begin(), together.begin() + 9), second(together.begin() + 9, together.end());
  EXPECT_EQ(first, served.logprobs({prompted}));
  EXPECT_EQ(second, served.logprobs({prompted_too}));
  EXPECT_NE(served.logprobs({no_adapter}), first);
  EXPECT_NE(first, second);
}

TEST_F(RowAdaptersTest, AnotherNumberOfVirtualTokensWantsAPassOfItsOwn) {
  const Served served;
  EXPECT_THAT(failure_of([&] { served.logprobs({prompted, low_rank}); }), HasSubstr("0 and 3 virtual tokens"));
  EXPECT_THAT(failure_of([&] { served.logprobs({in_front, low_rank}); }), HasSubstr("0 and 3 keys"));
}

TEST_F(RowAdaptersTest, GenerationSortsRowsAndAnswersInTheirOrder) {
  const Served served;
  const std::vector<int32_t> adapters{prompted,   low_rank, in_front, prompted_too,
                                      no_adapter, prompted, scaled,   low_rank};
  std::vector<std::vector<int32_t>> prompts;
  for (uint32_t i = 0; i < adapters.size(); ++i) prompts.push_back(some_tokens(2 + i % 3, i));
  for (const double temperature : {0.0, 1.0}) {
    Sampling sampling;
    sampling.max_tokens = 5;
    sampling.temperature = temperature;
    const auto together = generate(*served.model, prompts, sampling, false, {}, adapters);
    ASSERT_EQ(together.size(), prompts.size());
    for (size_t i = 0; i < prompts.size(); ++i) {
      EXPECT_EQ(together[i].origin, static_cast<int64_t>(i));
      if (temperature > 0) continue;  // what is drawn depends on the prompt's number
      const auto alone = generate(*served.model, {prompts[i]}, sampling, false, {}, std::span(&adapters[i], 1));
      EXPECT_EQ(together[i].tokens, alone[0].tokens) << i;
      EXPECT_EQ(together[i].tokens.size(), 5U);
    }
  }
}

TEST_F(RowAdaptersTest, ScoresAreThoseOfEachRowAlone) {
  const Served served;
  const std::vector<int32_t> adapters{prompted, low_rank, in_front, no_adapter, prompted_too, low_rank};
  std::vector<TokenExample> rows;
  for (uint32_t i = 0; i < adapters.size(); ++i)
    rows.push_back({some_tokens(4 + 5 * i, i), {}});  // the last in windows
  std::vector<double> by_row(rows.size());
  std::vector<std::pair<int64_t, int64_t>> order;
  const Score all = score_texts(
      *served.model, rows,
      [&](const ScoredToken& t) {
        by_row[static_cast<size_t>(t.row)] -= t.logprob;
        order.emplace_back(t.row, t.position);
      },
      adapters);
  EXPECT_TRUE(std::ranges::is_sorted(order));
  double sum = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Score own = score_texts(*served.model, std::span(&rows[i], 1), {}, std::span(&adapters[i], 1));
    EXPECT_NEAR(by_row[i], own.loss, 1e-5) << i;
    sum += own.loss;
  }
  EXPECT_NEAR(all.loss, sum, 1e-4);
  EXPECT_EQ(all.count, 4 + 9 + 14 + 19 + 24 + 29 - 4) << "the first token counts behind the two prompts";
}

// Two members read the same two rows; the mean over members has half of the gradient that each has alone.
TEST_F(RowAdaptersTest, MembersOfAnEnsembleLearnAsEachAlone) {
  const std::vector<std::vector<int32_t>> texts{some_tokens(6, 1), some_tokens(6, 2)};
  const auto loss = [&](const Model& model, int64_t members) {
    std::vector<std::vector<int32_t>> rows;
    for (int64_t m = 0; m < members; ++m) rows.insert(rows.end(), texts.begin(), texts.end());
    const Tensor weights = ops::full({2 * members, 6}, 1 / (12.0 * static_cast<double>(members)));
    return model.cross_entropy(pass_over(tokens_of(rows)), weights);
  };
  for (const auto& [id, yaml] : {std::pair("soft_prompt", "{length: 3}"), std::pair("lora", "{rank: 2}")}) {
    const auto model = small_model();
    for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, false);
    RowAdapters together(model);
    together.deal();
    const auto member = [&, id = id, yaml = yaml](uint64_t seed, const std::shared_ptr<Model>& of) {
      auto set = std::make_unique<Adapters>(of, seed);
      set->add(id, fixture(id).table<rgm_adapter>(), *options(id, yaml));
      uint32_t draw = static_cast<uint32_t>(10 * seed);
      const NoGradient no_gradient;
      for (Parameter& p : set->parameters().all())
        assign(p.value, p.value + sample(p.value.shape(), ++draw, -0.5, 0.5));
      return set;
    };
    for (const uint64_t seed : {1, 2}) together.add(std::to_string(seed), member(seed, model));
    EXPECT_EQ(model->virtual_tokens(), id == std::string("lora") ? 0 : 3);
    const Tensor mean = loss(*model, 2);
    backward(mean);
    double sum = 0;
    for (const uint64_t seed : {1, 2}) {
      const auto own = small_model();
      for (Parameter& p : own->parameters().all()) own->parameters().set_trained(p, false);
      const auto alone = member(seed, own);
      own->set_hooks(alone.get());
      const Tensor one = loss(*own, 1);
      sum += item(one);
      backward(one);
      const auto& theirs = together.sets()[seed - 1]->parameters().all();
      for (size_t i = 0; i < theirs.size(); ++i)
        expect_near(theirs[i].value.gradient(), 0.5 * alone->parameters().all()[i].value.gradient(), 1e-5);
    }
    EXPECT_NEAR(item(mean), sum / 2, 1e-5) << id;
    EXPECT_THAT(failure_of([&] { model->forward(pass_over(tokens_of({texts[0]})), RGM_LOGPROBS); }),
                HasSubstr("a pass of 1 rows cannot be dealt to the 2 adapters"));
  }
}

TEST_F(RowAdaptersTest, NamesAreKnownOrAnsweredWithANearOne) {
  Served served;
  EXPECT_EQ(served.rows.number("scaled", "rows.jsonl:1"), scaled);
  EXPECT_EQ(served.rows.number("", "rows.jsonl:1"), no_adapter);
  EXPECT_THAT(failure_of([&] { served.rows.number("scald", "rows.jsonl:7"); }),
              testing::AllOf(HasSubstr("rows.jsonl:7"), HasSubstr("did you mean \"scaled\"?")));
  EXPECT_THAT(failure_of([&] { served.add("scaled", "ia3", "{}", 1); }), HasSubstr("two adapters \"scaled\""));
}

}  // namespace
}  // namespace rgm::test
