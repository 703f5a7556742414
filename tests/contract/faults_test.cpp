// faults_test.cpp - rules that a method breaks are named, and what is not there is told with what there is.
#include "contract/contract.hpp"

namespace rgm {
namespace {

TEST_F(Contract, RulesThatAMethodBreaksAreNamed) {
  const auto broken = [&](const std::string& stage) { return run({"faulty"}, base(1) + stage); };
  EXPECT_EQ(broken(adapted("faulty_adapter: {fault: shape}")), 2);
  EXPECT_TRUE(said("faulty.so): its hook output returned the shape (16) at layers.0.mlp")) << said_;
  EXPECT_EQ(broken(adapted("faulty_adapter: {fault: late}")), 2);
  EXPECT_TRUE(said("output at layers.0.mlp failed: parameter faulty_adapter.layers.0.mlp.late is asked for too late"))
      << said_;
  EXPECT_EQ(broken(adapted("faulty_adapter: {fault: negative}")), 2);
  EXPECT_TRUE(said("scale: (-1) is not a shape")) << said_;
  write("rows.jsonl", "{\"text\": \"the cat\", \"target\": 1}\n{\"text\": \"a dog\", \"target\": 2}\n");
  const auto strategy = [](const std::string& fault) {
    return "  - {name: bad, strategy: {faulty: {fault: " + fault +
           "}}, model: {from: base}, data: {train: {jsonl: rows.jsonl}}, steps: 1, batch: 2}\n";
  };
  EXPECT_EQ(broken(strategy("integers")), 2);
  EXPECT_TRUE(said("annotate adds the column \"rank\", which holds no real numbers")) << said_;
  EXPECT_EQ(broken(strategy("overwrites")), 2);
  EXPECT_TRUE(said("annotate changes the column \"target\"")) << said_;
  EXPECT_EQ(broken(strategy("reference")), 1);  // it declared no such role
  EXPECT_TRUE(said("no model is configured as \"reference\" (there are: policy)")) << said_;
  const std::pair<const char*, const char*> samplings[] = {
      {"temperature", "\"temperature\" is -1, expected a number from 0 to 1000000000"},
      {"top_k", "\"top_k\" is 2.5, expected a whole number from 0 to 1000000000"},
      {"min_p", "\"min_p\" is nan, expected a number from 0 to 1"},
      {"answers", "\"answers\" is not a number, expected a whole number from 0 to 1000000000"},
      {"stop", "\"stop\" is neither a text nor a list of texts"},
      {"metric", "\"loss\" is a name that the host itself writes for each step; call it something else"},
      {"metric_shape", "metric \"mine\": its sum has shape (2), expected ()"}};
  for (const auto& [fault, message] : samplings) {
    EXPECT_EQ(broken(strategy(fault)), 2);
    EXPECT_TRUE(said(message)) << said_;
  }
  const std::pair<const char*, const char*> losses[] = {
      {"assigns", "faulty.so): loss failed: assign within loss, which may run more or less often than once a step"},
      {"sets", "faulty.so): loss failed: set within loss"},
      {"reports", "report: \"loss\" is a name that the host itself writes into a result"},
      {"keeps", "was walked in an earlier step, and a tape serves only once: keep detach(x) instead of x"}};
  for (const auto& [fault, message] : losses) {
    EXPECT_EQ(broken("  - {name: bad, strategy: {faulty: {fault: " + std::string(fault) +
                     "}}, model: {from: base}, data: {train: {jsonl: rows.jsonl}}, steps: 2, batch: 2}\n"),
              2);
    EXPECT_TRUE(said(message)) << said_;
  }
  EXPECT_EQ(
      broken("  - {name: bad, strategy: faulty, model: {from: base}, data: {train: {text: text.txt}}, steps: 1}\n"), 2);
  EXPECT_TRUE(said("annotates examples, but windows of a text are cut differently")) << said_;
}

TEST_F(Contract, WhatIsNotThereIsToldWithWhatThereIs) {
  write("rows.jsonl", "{\"text\": \"the cat\", \"target\": 1}\n{\"text\": \"a dog\", \"target\": 2}\n");
  const auto bad = [&](const std::string& strategy, const std::string& data) {
    return run({"faulty"}, base(1) + "  - {name: bad, strategy: " + strategy + ", model: {from: base}, data: {" + data +
                               "}, steps: 1, batch: 2}\n");
  };
  const std::tuple<const char*, int, const char*> faults[] = {
      {"column", 1, "no column \"texts\" of numbers; did you mean \"text\"? (there are: target, text)"},
      {"text", 1, "the batch has no column \"title\" of texts (there is none)"},
      {"total", 2, "no column \"text.weight\"; did you mean \"text.weights\"? (there are: target, text)"},
      {"role", 1, "no model is configured as \"polcy\"; did you mean \"policy\"? (there are: policy)"},
      {"scope", 2, "\"polcy\" was asked for, but the stage has none; did you mean \"policy\"? (there are: policy)"},
      {"detached", 2, "no gradient gets through detach, or through values that were read"}};
  for (const auto& [fault, status, message] : faults) {
    EXPECT_EQ(bad("{faulty: {fault: " + std::string(fault) + "}}", "train: {jsonl: rows.jsonl}"), status) << fault;
    EXPECT_TRUE(said(message)) << said_;
  }
  EXPECT_EQ(bad("faulty_rollout", "prompts: {jsonl: rows.jsonl, columns: {prompt: text}}"), 1);
  EXPECT_TRUE(said("because it has nothing to learn from: see what the strategy wants of its data and options"))
      << said_;
}

}  // namespace
}  // namespace rgm
