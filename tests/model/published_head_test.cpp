// published_head_test.cpp - config.json of classifiers and reward models as they are published.
#include "base/json.hpp"
#include "model/small.hpp"

namespace rgm::test {
namespace {

ModelConfig published(const std::string& more) {
  return from_hugging_face(
      parse_json(R"({"architectures": ["LlamaForSequenceClassification"], "model_type": "llama", "hidden_size": 8,
                     "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 16,
                     "max_position_embeddings": 8)" +
                     more + "}",
                 "config.json"),
      "config.json");
}

TEST(PublishedHeads, ARewardModelHasOneNumberThatIsNoLabel) {
  const ModelConfig c = published(R"(, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, "pad_token_id": 3)");
  EXPECT_EQ(c.outputs, 1);
  EXPECT_TRUE(c.labels.empty());
  EXPECT_EQ(c.others["pad_token_id"], 3);
}

TEST(PublishedHeads, LabelsNeedNoTypeOfProblem) {
  const ModelConfig c = published(R"(, "id2label": {"0": "NEGATIVE", "1": "POSITIVE"}, "problem_type": null)");
  EXPECT_EQ(c.outputs, 2);
  EXPECT_EQ(c.labels, (std::vector<std::string>{"NEGATIVE", "POSITIVE"}));
}

TEST(PublishedHeads, WhatIsWrittenDownNowhereIsTwoLabelsWithoutNames) {
  EXPECT_EQ(published("").outputs, 2);
  EXPECT_EQ(published(R"(, "num_labels": 5)").outputs, 5);
}

}  // namespace
}  // namespace rgm::test
