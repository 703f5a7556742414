// rollouts_test.cpp - what is sampled, scored and drawn while a policy trains, and what is told where that cannot work.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST_F(RlhfTest, APromptWithoutRoomForAnAnswerIsTold) {
  write("prompts.jsonl", R"({"prompt": "the cat sat on the mat and the dog ran"})"
                         "\n");
  write("p.yaml", with(ppo("", "    reward: {rule: {regex: a}}\n    steps: 1\n")));
  const Said said = regimen("run p.yaml");
  EXPECT_THAT(said.err,
              HasSubstr("1 of 1 prompts have more than 11 tokens and lose their first ones, because 5 of the 16"));
}

// As the tokenizers of Llama and Mistral, which drop a space in front of what they decode.
TEST_F(RlhfTest, AnAnswerKeepsTheSpaceBeforeIt) {
  const fs::path models = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/sentence_piece";
  fs::create_directories(folder_ / "pieces");
  write("pieces/tokenizer.model", read_file(models / "llama.model"));
  write("prompts.jsonl", "{\"prompt\": \"the cat\"}\n");
  std::string text = tiny(40,
                          "    optimizer: {adamw: {learning_rate: 1e-2}}\n    sample: {prompt: the cat, tokens: 4}\n"
                          "  - name: answers\n    strategy: {sample: {answers: 8, max_tokens: 4}}\n"
                          "    model: {from: base}\n    data: {prompts: {jsonl: prompts.jsonl}}\n");
  text.replace(text.find("tokenizer: characters"), 21, "tokenizer: {from: pieces}");
  write("p.yaml", text);
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  ASSERT_EQ(rows("answers").size(), 8U);
  for (const auto& row : rows("answers")) {
    EXPECT_THAT(std::string(row["text"]), testing::StartsWith(" ")) << "it has learned words after a space";
    EXPECT_THAT(std::string(row["completion"]), testing::StartsWith("the cat" + std::string(row["text"])));
  }
  EXPECT_THAT(std::string(json("runs/tiny/base/stage.json")["samples"][0]["text"]), testing::StartsWith(" "));
}

// 12 prompts, 6 a rollout, 2 rounds of 2 steps each: once through the prompts is 2 rollouts of 4 steps.
TEST_F(RlhfTest, EpochsAreRoundsThroughThePrompts) {
  write("p.yaml", with(ppo(", epochs: 2, minibatches: 2", "    reward: {rule: {regex: a}}\n    epochs: 1\n")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result("ppo")["steps"], 8);
}

// Beside the rewards of the steps stand those of held-out prompts, under a name of their own.
TEST_F(RlhfTest, HeldOutMetricsAreNoStepsOfTraining) {
  std::string text = with(ppo(", missing_end_penalty: 5, epochs: 1",
                              "    reward: {rule: {shortest: 0}}\n    steps: 2\n    log: {every: 1}\n"));
  text.replace(text.rfind("{prompts: {jsonl: prompts.jsonl}}"), 33,
               "{prompts: {jsonl: prompts.jsonl}, validation: {split: 0.5}}");
  write("p.yaml", text);
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto lines = json_lines("runs/tiny/ppo/metrics.jsonl");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1]["reward"], 1) << "the penalty is in what is learned from, not in the score";
  EXPECT_EQ(lines[2]["validation_reward"], 1);
  EXPECT_FALSE(lines[2].contains("reward"));
  EXPECT_EQ(result("ppo")["reward"], 1);
  EXPECT_THAT(said.err, HasSubstr("  reward 1.0000  "));
  EXPECT_THAT(said.err, HasSubstr("stage ppo: done, reward 1.0000, "));
}

// Every answer is at least 0 long, and none has a thousand letters: 1 and 0, and 2 x 1 + 3 x 0 together. What has no
// weight is not counted.
TEST_F(RlhfTest, EachOfSeveralRewardsIsToldByItself) {
  write("p.yaml", with(ppo(", epochs: 1",
                           "    reward: [{rule: {shortest: 0}, weight: 2}, {rule: {regex: a}, weight: 0}, "
                           "{rule: {shortest: 1000}, weight: 3}]\n    steps: 1\n    log: {every: 1}\n")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto line = json_lines("runs/tiny/ppo/metrics.jsonl").at(0);
  EXPECT_EQ(line["reward"], 2);
  EXPECT_EQ(line["reward_rule"], 1);
  EXPECT_EQ(line["reward_rule_2"], 0);
  EXPECT_FALSE(line.contains("reward_rule_3"));
}

// Also where a shell has put a slash behind its name.
TEST_F(RlhfTest, ARewardFromAFolderIsCalledLikeIt) {
  write("p.yaml", with("  - name: judge\n    strategy: reward_modeling\n    reward: {regression: {loss: logistic}}\n"
                       "    model: {from: base}\n    steps: 1\n"
                       "    data: {train: {tsv: rated.tsv, columns: {completion: 0, value: 1}}}\n"));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  write("p.yaml", with(ppo(", epochs: 1",
                           "    reward: [{from: runs/tiny/judge/}, {rule: {regex: a}}]\n    steps: 1\n"
                           "    log: {every: 1}\n")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_TRUE(json_lines("runs/tiny/ppo/metrics.jsonl").at(0).contains("reward_judge"));
}

// Scores 1 and 0 and a tie within 2 of all of them: no pair.
TEST_F(RlhfTest, WhereAllTieThereIsNoPair) {
  write("p.yaml",
        with("  - name: answers\n    strategy: {sample: {answers: 6, max_tokens: 5}}\n    model: {from: base}\n"
             "    data: {prompts: {jsonl: prompts.jsonl}}\n"
             "  - name: pairs\n    strategy: {rank: {rows: pairs, tie: 2}}\n    model: {from: base}\n"
             "    reward: {rule: {regex: e}}\n"
             "    data: {samples: {from: answers, columns: {completion: {prompt: prompt, answer: text}}}}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_TRUE(rows("pairs").empty());
}

// Two of twelve pairs are drawn: the reference is asked about no other, and a run that goes on finds them.
TEST_F(RlhfTest, OnlyWhatTheStepsDrawIsAnnotated) {
  std::string pairs;
  for (int n = 0; n < 12; ++n)
    pairs += R"({"prompt": "the ", "chosen": "cat )" + std::to_string(n) + R"(", "rejected": "dog"})" + "\n";
  write("pairs.jsonl", pairs);
  write("p.yaml", with("  - name: dpo\n    strategy: dpo\n    model: {from: base}\n    steps: 1\n    batch: 2\n"
                       "    data: {train: {jsonl: pairs.jsonl}}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("dpo: annotating 2 examples"));
  EXPECT_THAT(regimen("run p.yaml --set stages.dpo.log.every=1").err, testing::Not(HasSubstr("annotating")));
  // Of 20 draws from 14 pairs, 18 are of these two.
  write("two.jsonl", pairs.substr(0, pairs.find('\n', pairs.find("cat 1")) + 1));
  const Said mixed = regimen(
      "run p.yaml --set stages.dpo.steps=10 --set 'stages.dpo.data.train=[{jsonl: pairs.jsonl, share: 0.1}, {jsonl: "
      "two.jsonl, share: 0.9}]'");
  ASSERT_EQ(mixed.status, 0) << mixed.err;
  EXPECT_THAT(mixed.err, HasSubstr("dpo: annotating 4 examples"));
}

// The answer n of a judge, counted from 1, as a shell says it.
class JudgedByAProgram : public RlhfTest {
 protected:
  void judge(const std::string& says) const {
    write("judge.sh", "#!/bin/sh\nn=0\nwhile read -r line; do n=$((n+1)); " + says + "; done\n");
    fs::permissions(folder_ / "judge.sh", fs::perms::owner_all);
  }
  // A prompt and its four answers a rollout.
  static std::string learn(const std::string& strategy, const std::string& more) {
    return with("  - name: play\n    strategy: {" + strategy +
                ": {answers: 4, max_tokens: 4}}\n    model: {from: base}\n    batch: 1\n    log: {every: 1}\n"
                "    reward: {command: {program: judge.sh}}\n    data: {prompts: {jsonl: prompts.jsonl}}\n" +
                more);
  }
  std::vector<nlohmann::json> metrics(const std::string& stage) const {
    return json_lines("runs/tiny/" + stage + "/metrics.jsonl");
  }
};

// Of answers 9 to 12, those of the third rollout, the judge says nothing: six steps take seven rollouts.
TEST_F(JudgedByAProgram, ARolloutWithoutAScoreIsLeftOut) {
  judge("if [ $n -ge 9 ] && [ $n -le 12 ]; then echo null; else echo $n; fi");
  for (const char* strategy : {"grpo", "rloo", "ppo"}) {
    fs::remove_all(folder_ / "runs/tiny/play");
    write("p.yaml", learn(strategy, "    steps: 6\n"));
    if (strategy == std::string("ppo")) {
      std::string text = read_file(folder_ / "p.yaml");
      text.replace(text.find("answers: 4"), 10, "epochs: 1, answers: 4");
      write("p.yaml", text);
    }
    const Said said = regimen("run p.yaml");
    ASSERT_EQ(said.status, 0) << said.err;
    EXPECT_THAT(said.err, HasSubstr("play: rollout 3 is left out, and no step learns from it, because none of its "
                                    "answers has a score from reward \"command\""));
    EXPECT_THAT(said.err, testing::Not(HasSubstr("expected"))) << "a column that this judge has no use for";
    const auto lines = metrics("play");
    ASSERT_EQ(lines.size(), 6U);
    EXPECT_EQ(lines[1]["reward"], (5 + 6 + 7 + 8) / 4.0);
    EXPECT_EQ(lines[2]["reward"], (13 + 14 + 15 + 16) / 4.0) << strategy;
  }
}

TEST_F(JudgedByAProgram, TenRolloutsWithoutAScoreFailTheStage) {
  judge("if [ $n -le 4 ]; then echo 1; else echo null; fi");
  write("p.yaml", learn("grpo", "    steps: 6\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("rollout 10 is left out"));
  EXPECT_THAT(said.err, HasSubstr("play: 10 rollouts in a row were left out, the last one because none of its answers "
                                  "has a score from reward \"command\""));
}

TEST_F(JudgedByAProgram, OneThatCannotBeRunIsToldBeforeAnythingIsTrained) {
  judge("echo 1");
  write("p.yaml", learn("grpo", "    steps: 1\n"));
  EXPECT_EQ(regimen("check p.yaml").status, 0);
  fs::permissions(folder_ / "judge.sh", fs::perms(0644));
  const Said closed = regimen("check p.yaml");
  EXPECT_EQ(closed.status, 2);
  EXPECT_THAT(closed.err, HasSubstr("judge.sh cannot be run: it is not executable; chmod +x it"));
  for (const auto& [line, said] : {std::pair("#!/no/such/shell -e\n", "its first line names /no/such/shell, which"),
                                   std::pair("#! /bin/sh\r\n", "take the carriage returns out of the file")}) {
    write("judge.sh", line);
    fs::permissions(folder_ / "judge.sh", fs::perms::owner_all);
    const Said without = regimen("check p.yaml");
    EXPECT_EQ(without.status, 2);
    EXPECT_THAT(without.err, HasSubstr(said));
  }
}

// It is asked and answers nothing; the run is killed, which can end nothing itself.
TEST_F(JudgedByAProgram, TheProgramEndsWithARunThatIsKilled) {
  write("judge.sh", "#!/bin/sh\nread -r line\necho $$ >number\nmv number judge.number\nexec sleep 600\n");
  fs::permissions(folder_ / "judge.sh", fs::perms::owner_all);
  write("p.yaml", learn("grpo", "    steps: 1\n"));
  const pid_t child = start("out");
  int status = 0;
  while (!fs::exists(folder_ / "judge.number") && ::waitpid(child, &status, WNOHANG) == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << read_file(folder_ / "err.log");
  const fs::path process = "/proc/" + std::to_string(std::stoi(read_file(folder_ / "judge.number"))) + "/status";
  const auto lives = [&] {
    std::ifstream file(process);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return !text.empty() && text.find("State:\tZ") == std::string::npos;
  };
  for (int tries = 0; tries < 20'000 && lives(); ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(lives());
}

TEST_F(RlhfTest, TheRuleThatComparesSaysWhichColumnItLacks) {
  write("p.yaml", with("  - name: grpo\n    strategy: {grpo: {answers: 2, max_tokens: 4}}\n    model: {from: base}\n"
                       "    reward: {rule: {match: exact, shortest: 0}}\n    batch: 2\n    steps: 2\n"
                       "    data: {prompts: {jsonl: prompts.jsonl}}\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err,
              HasSubstr("`match` compares answers with the column \"expected\", which the data does not have"));
}

// Nothing else tells one evaluation from another.
TEST_F(RlhfTest, TheBestWeightsAreThoseOfTheHighestReward) {
  for (const char* strategy : {"grpo", "rloo", "ppo"}) {
    fs::remove_all(folder_ / "runs/tiny/play");
    write("p.yaml", with(std::string("  - name: play\n    strategy: {") + strategy +
                         ": {answers: 4, max_tokens: 4}}\n    model: {from: base}\n    reward: {rule: {regex: t}}\n"
                         "    data: {prompts: {jsonl: prompts.jsonl}, validation: {split: 0.5}}\n    batch: 3\n"
                         "    steps: 8\n    evaluate: {every: 2}\n    keep: best\n"
                         "    optimizer: {adamw: {learning_rate: 5e-3}}\n"));
    const Said said = regimen("run p.yaml");
    ASSERT_EQ(said.status, 0) << said.err;
    double best = -1;
    int64_t at = 0;
    for (const auto& numbers : json_lines("runs/tiny/play/metrics.jsonl"))
      if (numbers.contains("validation_reward") && numbers["validation_reward"].get<double>() > best)
        best = numbers["validation_reward"], at = numbers["step"];
    EXPECT_EQ(result("play")["best_step"], at) << strategy;
    EXPECT_EQ(result("play")["reward"].get<double>(), best) << strategy;
  }
}

// The training was not in vain: its weights are there.
TEST_F(JudgedByAProgram, WhereNoEvaluationHasANumberTheLastWeightsAreKept) {
  judge("if [ $n -le 4 ]; then echo $n; else echo null; fi");
  std::string text = learn("grpo", "    steps: 1\n    keep: best\n");
  text.replace(text.rfind("{prompts: {jsonl: prompts.jsonl}}"), 33,
               "{prompts: {jsonl: prompts.jsonl}, validation: {split: 0.5}}");
  write("p.yaml", text);
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("the last weights are kept"));
  EXPECT_FALSE(result("play").contains("best_step"));
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/play/model/model.safetensors"));
}

// Of forty equal prompts some are answered with an "a" and some without, the same ones however they are cut.
TEST_F(RlhfTest, HeldOutAnswersDoNotDependOnTheMicroBatch) {
  std::string prompts;
  for (int i = 0; i < 40; ++i) prompts += "{\"prompt\": \"the cat\"}\n";
  write("same.jsonl", prompts);
  write("p.yaml", with("  - name: grpo\n    strategy: {grpo: {answers: 2, max_tokens: 5}}\n    model: {from: base}\n"
                       "    reward: {rule: {regex: a}}\n    batch: 40\n    steps: 1\n"
                       "    data: {prompts: {jsonl: prompts.jsonl}, validation: {jsonl: same.jsonl}}\n"
                       "    optimizer: {adamw: {learning_rate: 1e-9}}\n"));
  std::vector<double> rewards;
  for (const char* size : {"1", "7", "40"}) {
    const Said said = regimen(std::string("run p.yaml --set stages.grpo.micro_batch=") + size);
    ASSERT_EQ(said.status, 0) << said.err;
    rewards.push_back(result("grpo")["reward"]);
    EXPECT_NEAR(rewards.back(), rewards[0], 1e-6) << size;
  }
  EXPECT_GT(rewards[0], 0);
  EXPECT_LT(rewards[0], 1);
}

// Text beside the prompts takes part with the weight that ptx gives it, and is refused where that is none.
TEST_F(RlhfTest, PlainTextWithoutAWeightIsRefused) {
  const std::string rule = "    reward: {rule: {regex: a}}\n    steps: 1\n    log: {every: 1}\n";
  const auto beside_text = [&](const std::string& options) {
    std::string text = with(ppo(options, rule));
    text.replace(text.rfind("{prompts: {jsonl: prompts.jsonl}}"), 33,
                 "{prompts: {jsonl: prompts.jsonl}, pretrain: {text: text.txt}}");
    write("p.yaml", text);
  };
  beside_text("");
  const Said said = regimen("check p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("strategy \"ppo\" does not read \"pretrain\" with the options given here"));
  beside_text(", ptx: 0.5");
  const Said ran = regimen("run p.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_GT(double(json("runs/tiny/ppo/metrics.jsonl")["ptx_loss"]), 0);
  write("p.yaml", with(ppo(", ptx: 0.5", rule)));
  EXPECT_THAT(regimen("check p.yaml").err,
              HasSubstr("strategy \"ppo\" reads \"pretrain\" with the options given here, but there is none"));
}

}  // namespace
}  // namespace rgm
