// kto_test.cpp - KTO learns from answers that are good, bad, or neither.
#include <gmock/gmock.h>

#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

// All of six answers are right, and no opinion: nothing is learned from them.
TEST_F(RlhfTest, AnswersThatAllTieAreNeitherGoodNorBad) {
  write("p.yaml",
        with("  - name: answers\n    strategy: {sample: {answers: 6, max_tokens: 5}}\n    model: {from: base}\n"
             "    data: {prompts: {jsonl: prompts.jsonl}}\n"
             "  - name: ranks\n    strategy: rank\n    model: {from: base}\n    reward: {rule: {regex: '.*'}}\n"
             "    data: {samples: {from: answers, columns: {completion: {prompt: prompt, answer: text}}}}\n"
             "  - name: kto\n    strategy: kto\n    model: {from: base}\n    steps: 2\n    batch: 12\n"
             "    data: {train: {from: ranks, columns: {completion: {prompt: prompt, answer: text}}}}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  for (const auto& row : rows("ranks")) EXPECT_EQ(row["desirable"], -1);
  EXPECT_THAT(said.err, HasSubstr("the gradient is exactly zero"));
}

// Where all held-out answers are good, the mean over the bad ones is none.
TEST_F(RlhfTest, ARunGoesOnThoughAMetricIsNoNumber) {
  std::string rows;
  for (int i = 0; i < 8; ++i) rows += std::string("the cat sat on\t") + (i % 2 ? "1\n" : "0\n");
  write("judged.tsv", rows);
  write("good.tsv", "the cat\t1\nthe dog\t1\n");
  const std::string columns = ", columns: {completion: 0, desirable: 1}}";
  write("p.yaml", with("  - name: kto\n    strategy: kto\n    model: {from: base}\n    steps: 100\n    batch: 8\n"
                       "    checkpoint: {every: 20}\n    evaluate: {every: 20}\n    data: {train: {tsv: judged.tsv" +
                       columns + ", validation: {tsv: good.tsv" + columns + "}\n"));
  kill_and_resume("kto/checkpoint/step-20");
}

TEST_F(RlhfTest, KtoMovesAnswersInFrontOfWhichVectorsStand) {
  std::string rows;
  for (int i = 0; i < 8; ++i) rows += std::string("the cat sat on\t") + (i % 2 ? "1\n" : "0\n");
  write("judged.tsv", rows);
  write("p.yaml", with("  - name: kto\n    strategy: kto\n    model: {from: base}\n    adapter: {prefix: {length: 2}}\n"
                       "    data: {train: {tsv: judged.tsv, columns: {completion: 0, desirable: 1}}}\n    steps: 2\n"
                       "    batch: 8\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
  write("judged.tsv", rows + "the cat sat on\t2\n");
  EXPECT_THAT(regimen("run p.yaml").err,
              HasSubstr("kto: desirable is 2, expected 1 for a good answer, 0 for a bad one"));
}

}  // namespace
}  // namespace rgm
