// generation_config_test.cpp - how a model's authors want it sampled, and what of that is the user's.
#include "generate/generation_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/json.hpp"

namespace rgm::test {
namespace {

Sampling untouched() {
  Sampling s;
  s.temperature = 0.8;
  return s;
}
// What is told, and what becomes of `to`.
std::string told_of(const char* config, Sampling& to, const std::set<std::string>& given = {}) {
  return take_generation_config(parse_json(config), "m/generation_config.json", given, to);
}
std::string refusal(const char* config, const std::set<std::string>& given = {}) {
  Sampling s = untouched();
  try {
    told_of(config, s, given);
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
  return "";
}

TEST(GenerationConfig, SetsWhatItSaysAndTellsIt) {
  Sampling s = untouched();
  EXPECT_EQ(told_of(R"({"do_sample": true, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "min_p": 0.1,
                      "repetition_penalty": 1.05, "max_new_tokens": 2048, "eos_token_id": [1, 2]})",
                    s),
            "temperature 0.7, top_p 0.8, top_k 20, min_p 0.1, repetition_penalty 1.05, max_tokens 2048");
  EXPECT_EQ(s.temperature, 0.7);
  EXPECT_EQ(s.top_p, 0.8);
  EXPECT_EQ(s.top_k, 20);
  EXPECT_EQ(s.min_p, 0.1);
  EXPECT_EQ(s.repetition_penalty, 1.05);
  EXPECT_EQ(s.max_tokens, 2048);
}

TEST(GenerationConfig, WhatItDoesNotSayStays) {
  Sampling s = untouched();
  EXPECT_EQ(told_of(R"({"eos_token_id": 2, "temperature": null, "transformers_version": "4.50.0"})", s), "");
  EXPECT_EQ(s.temperature, 0.8);
  EXPECT_EQ(s.max_tokens, 200);
}

TEST(GenerationConfig, WhatIsGivenIsTheUsers) {
  Sampling s = untouched();
  EXPECT_EQ(told_of(R"({"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 5})", s, {"temperature", "max_tokens"}),
            "top_p 0.9");
  EXPECT_EQ(s.temperature, 0.8);
  EXPECT_EQ(s.max_tokens, 200);
}

// The members beside it are for who samples, as in transformers; the penalty and the length are not.
TEST(GenerationConfig, WithoutSamplingItTakesTheLikeliestToken) {
  constexpr const char* config =
      R"({"do_sample": false, "temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1.1, "max_new_tokens": 30})";
  Sampling s = untouched();
  EXPECT_EQ(told_of(config, s),
            "temperature 0, as do_sample is false (--temperature X draws), repetition_penalty 1.1, max_tokens 30");
  EXPECT_EQ(s.temperature, 0);
  EXPECT_EQ(s.top_p, 1);
  Sampling drawn = untouched();
  EXPECT_EQ(told_of(config, drawn, {"temperature"}), "top_p 0.9, repetition_penalty 1.1, max_tokens 30");
  EXPECT_EQ(drawn.temperature, 0.8);
}

// Whoever types what is for draws wants some.
TEST(GenerationConfig, WithoutSamplingATypedTopKDrawsAllTheSame) {
  constexpr const char* config = R"({"do_sample": false, "top_p": 0.9, "max_new_tokens": 30})";
  for (const char* typed : {"top_k", "top_p", "min_p"}) {
    Sampling s = untouched();
    EXPECT_EQ(told_of(config, s, {typed, "max_tokens"}), typed == std::string("top_p") ? "" : "top_p 0.9");
    EXPECT_EQ(s.temperature, 0.8) << typed;
  }
  Sampling longer = untouched();
  told_of(config, longer, {"max_tokens", "seed", "repetition_penalty"});
  EXPECT_EQ(longer.temperature, 0);
}

// transformers does not write what is its default, and that is 1.
TEST(GenerationConfig, SamplingWithoutATemperatureIsAtOne) {
  Sampling s = untouched();
  EXPECT_EQ(told_of(R"({"do_sample": true, "top_k": 64})", s), "temperature 1, top_k 64");
  EXPECT_EQ(s.temperature, 1);
  Sampling typed = untouched();
  EXPECT_EQ(told_of(R"({"do_sample": true, "top_k": 64})", typed, {"temperature"}), "top_k 64");
  EXPECT_EQ(typed.temperature, 0.8);
}

TEST(GenerationConfig, TopKOfNoneAtAllKeepsAllTokens) {
  for (const char* none : {"0", "-1"}) {
    Sampling s = untouched();
    s.top_k = 5;
    EXPECT_EQ(told_of((std::string(R"({"do_sample": true, "top_k": )") + none + "}").c_str(), s),
              std::string("temperature 1, top_k ") + none);
    EXPECT_EQ(s.top_k, 0);
  }
}

TEST(GenerationConfig, OfATemperatureThatDrawsNothingTheRestIsNotTaken) {
  for (const char* config : {R"({"do_sample": true, "temperature": 1e-06, "top_p": 0.8})",
                             R"({"temperature": 1e-06, "top_k": 1, "top_p": 1.7})"}) {
    Sampling s = untouched();
    EXPECT_EQ(told_of(config, s), "temperature 1e-06");
    EXPECT_EQ(s.temperature, 0);
  }
  Sampling typed = untouched();
  typed.temperature = 0;
  EXPECT_EQ(told_of(R"({"top_p": 0.8, "repetition_penalty": 1.1})", typed, {"temperature"}), "repetition_penalty 1.1");
}

TEST(GenerationConfig, ANonsensicalMemberIsNamed) {
  EXPECT_EQ(refusal(R"({"top_p": 1.7})"),
            "m/generation_config.json: \"top_p\" is 1.7, expected a number above 0 and at most 1: correct it there, or "
            "give --top-p, which counts instead");
  EXPECT_EQ(refusal(R"({"do_sample": "no"})"),
            "m/generation_config.json: \"do_sample\" is \"no\", expected true or false: correct it there, or give "
            "--temperature, which counts instead");
  for (const auto& [config, member] : {std::pair{R"({"temperature": "warm"})", "temperature"},
                                       {R"({"temperature": -1})", "temperature"},
                                       {R"({"top_k": 2.5})", "top_k"},
                                       {R"({"top_k": -2})", "top_k"},
                                       {R"({"min_p": [0.1]})", "min_p"},
                                       {R"({"repetition_penalty": 0})", "repetition_penalty"},
                                       {R"({"max_new_tokens": 0})", "max_new_tokens"}})
    EXPECT_THAT(refusal(config), testing::HasSubstr("\"" + std::string(member) + "\" is ")) << config;
  EXPECT_EQ(refusal(R"({"top_p": 1.7})", {"top_p"}), "");
  EXPECT_EQ(refusal(R"({"do_sample": false, "top_p": 1.7})"), "");
}

}  // namespace
}  // namespace rgm::test
