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

// Their numbers exclude nothing: a softmax over them, and the odds of one of them, would mean nothing.
TEST(PublishedHeads, SeveralNumbersThatAreNoLabelsAreRefused) {
  const std::string regression = R"(, "problem_type": "regression")";
  EXPECT_EQ(published(regression + R"(, "id2label": {"0": "score"})").outputs, 1);
  try {
    published(regression + R"(, "id2label": {"0": "helpful", "1": "correct"})");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.what(),
              std::string("config.json: \"problem_type\" is \"regression\" and the head has 2 numbers, each on "
                          "a scale of its own, which is not supported; use a head with one number, or a "
                          "classifier"));
  }
}

// transformers leaves the names out where they are LABEL_0 and LABEL_1.
TEST(PublishedHeads, LabelsWithoutNamesStayLabelsWhenTheyAreWritten) {
  const ModelConfig c = published("");
  const nlohmann::json written = to_hugging_face(c);
  EXPECT_EQ(written["problem_type"], "single_label_classification");
  EXPECT_EQ(from_hugging_face(written, "config.json").outputs, 2);
}

TEST(PublishedHeads, WhatIsWrittenDownNowhereIsTwoLabelsWithoutNames) {
  EXPECT_EQ(published("").outputs, 2);
  EXPECT_EQ(published(R"(, "num_labels": 5)").outputs, 5);
}

}  // namespace
}  // namespace rgm::test
