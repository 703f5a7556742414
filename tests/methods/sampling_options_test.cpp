// sampling_options_test.cpp - the options that the SDK gives to every strategy that samples: sampling.hpp.
#include <regimen/sampling.hpp>

#include "methods/method.hpp"

namespace rgm::test {
namespace {

// As in a third party's strategy.
struct OwnSampling : regimen::Sampling {
  int64_t answers = 4;
  static constexpr auto list = regimen::options(
      regimen::option("answers", &OwnSampling::answers, "answers to each prompt"), regimen::Sampling::list);
};
struct OwnOnline : regimen::OnlineSampling {
  constexpr OwnOnline() { epochs = 3; }
  bool whiten = false;
  static constexpr auto list =
      regimen::options(regimen::OnlineSampling::list, regimen::option("whiten", &OwnOnline::whiten, "whitens"), rounds);
};

std::vector<std::string> keys_of(std::span<const rgm_option> options) {
  std::vector<std::string> out;
  for (const rgm_option& option : options) out.emplace_back(option.key);
  return out;
}

TEST(SamplingOptions, AnotherListStandsInAListWhereItIsNamed) {
  EXPECT_THAT(keys_of(regimen::OptionTable<OwnSampling>::entries),
              testing::ElementsAre("answers", "max_tokens", "temperature", "top_k", "top_p", "min_p",
                                   "repetition_penalty", "stop"));
  EXPECT_THAT(keys_of(regimen::OptionTable<OwnOnline>::entries),
              testing::ElementsAre("max_tokens", "temperature", "stop", "whiten", "epochs", "minibatches"));
}

TEST(SamplingOptions, AStrategyMayHaveADefaultOfItsOwn) {
  const auto& entries = regimen::OptionTable<OwnOnline>::entries;
  EXPECT_EQ(entries[4].initial.as.i, 3);
  EXPECT_EQ(entries[5].initial.as.i, 1);
  EXPECT_EQ(entries[0].initial.as.i, 64);
}

TEST(SamplingOptions, AnEmptyStopIsRefusedInTheNameOfTheStrategy) {
  const rgm_str stops[] = {{"\n", 1}, {"", 0}};
  OwnSampling own;
  own.stop = stops;
  try {
    own.check("mine");
    FAIL() << "an empty stop was accepted";
  } catch (const regimen::Error& error) {
    EXPECT_STREQ(error.what(), "mine: stop has an empty text, which ends nothing: leave it out");
    EXPECT_EQ(error.status(), RGM_INVALID);
  }
  own.stop = std::span(stops).first(1);
  own.check("mine");
}

TEST(SamplingOptions, WhatIsPlannedIsWhatIsLearnedFrom) {
  OwnOnline own;
  own.minibatches = 2;
  const regimen::Plan plan = own.plan(5);
  const regimen::Experience experience = own.experience(regimen::Batch(nullptr));
  EXPECT_EQ(plan.units, 5);
  EXPECT_EQ(plan.answer_tokens, 64);
  EXPECT_TRUE(plan.needs_reward);
  EXPECT_EQ(plan.epochs, 3);
  EXPECT_EQ(experience.epochs, 3);
  EXPECT_EQ(plan.steps, 2);
  EXPECT_EQ(experience.steps, 2);
}

// All but the temperature, which says what each method does with it, and the rounds, which have their own defaults.
TEST(SamplingOptions, AllMethodsThatSampleHaveTheSame) {
  std::map<std::string, const rgm_option*> wanted;
  for (const rgm_option& option : regimen::OptionTable<OwnSampling>::entries) wanted[option.key] = &option;
  for (const char* other : {"answers", "temperature"}) wanted.erase(other);
  for (const auto& [id, count] :
       {std::pair{"sample", 6}, {"best_of_n", 5}, {"ppo", 5}, {"grpo", 2}, {"rloo", 2}, {"gkd", 5}}) {
    int seen = 0;
    for (const rgm_option* const* o = component(RGM_KIND_STRATEGY, id).data->options; *o; ++o) {
      const auto found = wanted.find((*o)->key);
      if (found == wanted.end()) continue;
      const rgm_option &has = **o, &expected = *found->second;
      EXPECT_STREQ(has.help, expected.help) << id;
      EXPECT_EQ(has.type, expected.type) << id << ' ' << has.key;
      EXPECT_EQ(has.min, expected.min) << id << ' ' << has.key;
      EXPECT_EQ(has.max, expected.max) << id << ' ' << has.key;
      ++seen;
    }
    EXPECT_EQ(seen, count) << id;
  }
}

}  // namespace
}  // namespace rgm::test
