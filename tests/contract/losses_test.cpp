// losses_test.cpp - losses from hidden states, from pairs with a reference, and through an operation of a plug-in's
// own.
#include "contract/contract.hpp"

namespace rgm {
namespace {

TEST_F(Contract, AValueHeadLivesInAScopeOfItsOwnAndIsSaved) {
  std::string rows;
  for (int i = 0; i < 24; ++i)
    rows += json{{"text", i % 2 ? "the cat sat" : "a dog ran"}, {"target", i % 2 ? 1.0 : -1.0}}.dump() + "\n";
  write("rows.jsonl", rows);
  const std::string first =
      base() +
      "  - {name: valued, strategy: value_head, model: {from: base}, data: {train: {jsonl: rows.jsonl}}, steps: "
      "15, batch: 6, micro_batch: 3, log: {every: 1}}\n";
  ASSERT_EQ(run({"value_head"}, first), 0) << said_;
  expect_falls("valued", "value_error", 0.1);
  EXPECT_EQ(numbers("valued/model/heads.safetensors", "value_head.weight").size(), 16U);
  EXPECT_NE(numbers("valued/model/heads.safetensors", "value_head.bias")[0], 0);  // where it began

  // A later stage finds the head as it was left.
  const std::string again =
      "  - {name: more, strategy: value_head, model: {from: valued}, data: {train: {jsonl: rows.jsonl}}, optimizer: "
      "{adamw: {learning_rate: 1e-9}}, steps: 4, batch: 24, log: {every: 1}}\n";
  ASSERT_EQ(run({"value_head"}, first + again), 0) << said_;
  EXPECT_LT(curve("more", "value_error").front(), curve("valued", "value_error").front() - 0.1);
}

TEST_F(Contract, TextsRowsFitWhereHiddenStatesAreWanted) {
  ASSERT_EQ(
      run({"value_head"},
          "  - {name: valued, strategy: value_head, model: {family: gpt2, layers: 1, heads: 2, channels: 16, context: "
          "32}, tokenizer: bytes, data: {train: {text: text.txt}}, steps: 3, batch: 4, log: {every: 1}}\n"),
      0)
      << said_;
  EXPECT_EQ(result("valued").at("tokens"), 3 * 4 * 31);  // windows of 32 tokens predict 31
}

TEST_F(Contract, DpoReadsPackedRowsAndReferencesThatWereAnnotatedOnce) {
  std::string rows;
  for (int i = 0; i < 12; ++i)
    rows += json{{"chosen", "the cat sat on the mat"}, {"rejected", i % 2 ? "zzz zzz" : "a dog"}}.dump() + "\n";
  write("pairs.jsonl", rows);
  ASSERT_EQ(run({}, base() + "  - {name: dpo, strategy: dpo, model: {from: base}, data: {train: {jsonl: pairs.jsonl}}, "
                             "optimizer: {adamw: {learning_rate: 1e-3}}, steps: 10, batch: 6, micro_batch: 3, log: "
                             "{every: 1}}\n"),
            0)
      << said_;
  EXPECT_NEAR(curve("dpo", "loss").front(), 0.693147, 1e-3);  // the policy is the reference at first
  expect_falls("dpo", "loss", 0.05);
}

TEST_F(Contract, PackingChangesNoLossAndAnnotatingIsDoneOnce) {
  std::string rows;
  for (int i = 0; i < 6; ++i) rows += json{{"chosen", "the cat"}, {"rejected", i % 2 ? "zzz" : "a dog"}}.dump() + "\n";
  write("pairs.jsonl", rows);
  const auto stage = [](int micro_batch) {
    return base() +
           "  - {name: dpo, strategy: dpo, model: {from: base}, data: {train: {jsonl: pairs.jsonl}}, optimizer: "
           "{adamw: {learning_rate: 1e-3}}, steps: 4, batch: 6, micro_batch: " +
           std::to_string(micro_batch) + ", log: {every: 1}}\n";
  };
  ASSERT_EQ(run({}, stage(6)), 0) << said_;  // four answers of 7 bytes and their end share a row of 32
  const std::vector<double> packed = curve("dpo", "loss");
  EXPECT_TRUE(said("annotating 6 examples")) << said_;
  ASSERT_EQ(run({}, stage(6), "run", "--force --only dpo"), 0) << said_;
  EXPECT_FALSE(said("annotating")) << said_;
  ASSERT_EQ(run({}, stage(1)), 0) << said_;
  const std::vector<double> alone = curve("dpo", "loss");
  ASSERT_EQ(packed.size(), alone.size());
  for (size_t i = 0; i < alone.size(); ++i) EXPECT_NEAR(packed[i], alone[i], 1e-4) << i;
}

TEST_F(Contract, ACustomOperationHasItsOwnGradient) {
  ASSERT_EQ(run({"custom_op"},
                "  - {name: bounded, strategy: {custom_op: {limit: 20}}, model: {family: gpt2, layers: 1, "
                "heads: 2, channels: 16, context: 32}, tokenizer: bytes, data: {train: {text: text.txt}}, "
                "optimizer: {adamw: {learning_rate: 5e-3}}, steps: 25, batch: 4, log: {every: 1}}\n"),
            0)
      << said_;
  expect_falls("bounded", "loss", 0.3);
}

}  // namespace
}  // namespace rgm
