// rlhf_test.cpp - from samples to PPO in one file: what each stage leaves, what a policy learns of a reward or a
// teacher, and what is shown of it.
#include <gmock/gmock.h>

#include <numeric>

#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST_F(RlhfTest, SamplesAreRankedLearnedAndFollowed) {
  const std::string stages = with(
      "  - name: annotator\n    strategy: reward_modeling\n    reward: {regression: {loss: logistic}}\n"
      "    model: {from: base}\n    data: {train: {tsv: rated.tsv, columns: {completion: 0, value: 1}}}\n"
      "    optimizer: {adamw: {learning_rate: 3e-3}}\n    batch: 6\n    steps: 15\n"
      "  - name: answers\n    strategy: {sample: {answers: 3, max_tokens: 5}}\n    model: {from: base}\n"
      "    data: {prompts: {jsonl: prompts.jsonl}}\n"
      "  - name: rankings\n    strategy: rank\n    model: {from: base}\n    reward: {from: annotator}\n"
      "    data: {samples: {from: answers, columns: &answer {completion: {prompt: prompt, answer: text}}}}\n"
      "  - name: pairs\n    strategy: {rank: {rows: pairs}}\n    model: {from: base}\n    reward: {from: annotator}\n"
      "    data: {samples: {from: answers, columns: *answer}}\n"
      "  - name: preference\n    strategy: reward_modeling\n    reward: ranking\n    model: {from: annotator}\n"
      "    data: {train: {from: rankings, columns: *answer}, validation: {split: 0.25}}\n    batch: 3\n"
      "    steps: 4\n"
      "  - name: dpo\n    strategy: {dpo: {beta: 0.2}}\n    model: {from: base}\n    data: {train: {from: pairs, "
      "columns: {chosen: {prompt: prompt, answer: chosen}, rejected: {prompt: prompt, answer: rejected}}}}\n"
      "    steps: 2\n    batch: 4\n" +
      ppo(", judge: annotator", "    reward: [{from: preference}, {from: annotator, weight: 0}]\n    steps: 4\n") +
      "    evaluate: {every: 4}\n");
  write("p.yaml", beside_prompts(stages, "validation: {split: 0.25}"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto answers = rows("answers"), ranked = rows("rankings"), pairs = rows("pairs");
  ASSERT_EQ(answers.size(), 36U);
  for (const char* key : {"prompt", "text", "logprob", "completion", "completion.logprobs", "finished"})
    EXPECT_TRUE(answers[0].contains(key)) << key;
  EXPECT_EQ(answers[0]["prompt"], "the dog 0");
  ASSERT_EQ(ranked.size(), 36U);
  for (size_t i = 0; i < 36; ++i)
    for (size_t j = 0; j < 36; ++j)
      if (ranked[i]["prompt"] == ranked[j]["prompt"]) {
        EXPECT_EQ(ranked[i]["group"], ranked[j]["group"]);
        EXPECT_EQ(ranked[i]["rank"]<ranked[j]["rank"], ranked[i]["score"]> ranked[j]["score"]);
      }
  EXPECT_EQ(ranked[0]["rater"], "simulated");
  EXPECT_GE(pairs.size(), 6U);
  EXPECT_LE(pairs.size(), 12U);
  const auto card = result("preference")["report_card"];
  EXPECT_GT(card["pairs"], 0);
  EXPECT_EQ(card["random"], 0.5);
  EXPECT_EQ(card["accuracy"], card["raters"]["simulated"]);
  for (const char* key : {"judge_positive", "judge_positive_before", "kl", "reward"})
    EXPECT_TRUE(result("ppo").contains(key)) << key;
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/ppo/model/heads.safetensors"));  // the critic's head
}

TEST_F(RlhfTest, APolicyLearnsWhatARuleRewards) {
  write("p.yaml",
        with("  - name: grpo\n    strategy: {grpo: {answers: 8, max_tokens: 4}}\n    model: {from: base}\n"
             "    reward: {rule: {regex: 't.*t'}}\n    data: {prompts: {jsonl: prompts.jsonl}}\n    batch: 6\n"
             "    optimizer: {adamw: {learning_rate: 5e-3}}\n    steps: 30\n    log: {every: 1}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  std::vector<double> reward;
  for (const auto& line : json_lines("runs/tiny/grpo/metrics.jsonl")) reward.push_back(line["reward"]);
  ASSERT_EQ(reward.size(), 30U);
  const auto mean = [&](size_t begin) { return std::accumulate(&reward[begin], &reward[begin] + 5, 0.0) / 5; };
  EXPECT_GT(mean(25), mean(0) + 0.4) << mean(0) << " " << mean(25);
}

// Prompts are those of the held-out half in order, so one sees what becomes of the answer to each.
TEST_F(RlhfTest, EachEvaluationShowsAnswersToTheSamePromptsWithTheirRewards) {
  write("p.yaml",
        with("  - name: ppo\n    strategy: {ppo: {max_tokens: 5}}\n    model: {from: base}\n    reward: {rule: {regex: "
             "a}}\n"
             "    data: {prompts: {jsonl: prompts.jsonl, end: 0.5}, validation: {jsonl: prompts.jsonl, begin: 0.5}}\n"
             "    batch: 6\n    steps: 12\n    evaluate: {every: 4}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto samples = json("runs/tiny/ppo/stage.json")["samples"];
  ASSERT_EQ(samples.size(), 9U) << samples.dump(1);
  for (size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(samples[i]["step"], 4 * (i / 3 + 1));
    EXPECT_EQ(samples[i]["prompt"],
              i % 3 == 1 ? "the cat " + std::to_string(6 + i % 3) : "the dog " + std::to_string(6 + i % 3));
    const bool holds = samples[i]["text"].get<std::string>().find('a') != std::string::npos;
    EXPECT_EQ(samples[i]["reward"], holds ? 1 : 0) << samples[i].dump();
  }
  const std::string report = read_file(folder_ / "runs/tiny/report.html");
  EXPECT_THAT(report, HasSubstr("<summary>after step 4</summary>"));
  EXPECT_THAT(report, HasSubstr("<p class=\"note\">after step 12</p>"));
  EXPECT_THAT(report, HasSubstr("<p class=\"note\">reward "));
}

// With a base that learns, too, the policy without its adapter is not the reference any more.
TEST_F(RlhfTest, TheReferenceStaysWhereTheBaseIsTrained) {
  const std::string stage =
      "  - name: rloo\n    strategy: {rloo: {max_tokens: 5, answers: 4}}\n    model: {from: base}\n"
      "    adapter: {lora: {}}\n    trainable: all\n    reward: {rule: {regex: cat}}\n    batch: 6\n"
      "    steps: 6\n    optimizer: {adamw: {learning_rate: 1e-2}}\n    log: {every: 1}\n"
      "    data: {prompts: {jsonl: prompts.jsonl}}\n";
  write("p.yaml", with(stage));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  write("q.yaml", with(stage + "    reference: {from: base}\n"));
  ASSERT_EQ(regimen("run q.yaml --out given").status, 0);
  EXPECT_EQ(hash_of("runs/tiny/rloo/adapter/adapter_model.safetensors"),
            hash_of("given/rloo/adapter/adapter_model.safetensors"));
}

// Each of the four micro-batches of a step has its share of the loss, and the metric is the whole.
TEST_F(RlhfTest, AStepsDivergenceIsTheSameHoweverItIsCut) {
  const std::string stage =
      "  - name: student\n    strategy: distill\n    teacher: {from: base}\n    batch: 4\n"
      "    model: {family: gpt2, layers: 1, heads: 2, channels: 16, context: 16}\n    steps: 1\n"
      "    tokenizer: {from: runs/tiny/base/model}\n    log: {every: 1}\n"
      "    data: {train: {text: text.txt}}\n    micro_batch: ";
  write("p.yaml", with(""));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  double whole = 0;
  for (const char* const size : {"4", "1"}) {
    write("p.yaml", with(stage + size + "\n"));
    const Said said = regimen("run p.yaml --only student --force");
    ASSERT_EQ(said.status, 0) << said.err;
    const double found = json("runs/tiny/student/metrics.jsonl")["divergence"];
    if (whole == 0) whole = found;
    EXPECT_GT(found, 0);
    EXPECT_NEAR(found, whole, 1e-5);
  }
}

}  // namespace
}  // namespace rgm
