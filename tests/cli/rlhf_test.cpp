// rlhf_test.cpp - from samples to PPO in one file: what each stage leaves, what is wrong in the data, and a run that is
// killed on the way.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class RlhfTest : public TinyRun {
 protected:
  RlhfTest() {
    std::string prompts, rated;
    for (int i = 0; i < 12; ++i) {
      prompts += std::string(R"({"prompt": ")") + (i % 2 ? "the cat" : "the dog") + " " + std::to_string(i) + "\"}\n";
      rated += std::string(i % 2 ? "the cat sat\t1\n" : "the dog ran\t0\n");
    }
    write("prompts.jsonl", prompts);
    write("rated.tsv", rated);
  }
  // The tiny base, and stages on it.
  static std::string with(const std::string& more) { return tiny(20, more); }
  static std::string ppo(const std::string& options, const std::string& more) {
    return "  - name: ppo\n    strategy: {ppo: {max_tokens: 5" + options +
           "}}\n    model: {from: base}\n    data: {prompts: {jsonl: prompts.jsonl}}\n    batch: 6\n" + more;
  }
  std::vector<nlohmann::json> rows(const std::string& stage) const {
    std::vector<nlohmann::json> out;
    std::ifstream file(folder_ / "runs/tiny" / stage / "rows.jsonl");
    for (std::string line; std::getline(file, line);) out.push_back(parse_json(line));
    return out;
  }
  nlohmann::json result(const std::string& stage) const { return json("runs/tiny/" + stage + "/stage.json")["result"]; }
};

TEST_F(RlhfTest, SamplesAreRankedLearnedAndFollowed) {
  write(
      "p.yaml",
      with("  - name: annotator\n    strategy: reward_modeling\n    reward: {regression: {loss: logistic}}\n"
           "    model: {from: base}\n    data: {train: {tsv: rated.tsv, columns: {completion: 0, value: 1}}}\n"
           "    optimizer: {adamw: {learning_rate: 3e-3}}\n    batch: 6\n    steps: 15\n"
           "  - name: answers\n    strategy: {sample: {answers: 3, max_tokens: 5}}\n    model: {from: base}\n"
           "    data: {prompts: {jsonl: prompts.jsonl}}\n"
           "  - name: rankings\n    strategy: rank\n    model: {from: base}\n    reward: {from: annotator}\n"
           "    data: {samples: {from: answers, columns: &answer {completion: {prompt: prompt, answer: text}}}}\n"
           "  - name: pairs\n    strategy: {rank: {rows: pairs}}\n    model: {from: base}\n    reward: {from: "
           "annotator}\n"
           "    data: {samples: {from: answers, columns: *answer}}\n"
           "  - name: preference\n    strategy: reward_modeling\n    reward: ranking\n    model: {from: annotator}\n"
           "    data: {train: {from: rankings, columns: *answer}, validation: {split: 0.25}}\n    batch: 3\n    steps: "
           "4\n"
           "  - name: dpo\n    strategy: {dpo: {beta: 0.2}}\n    model: {from: base}\n    data: {train: {from: pairs, "
           "columns: {chosen: {prompt: prompt, answer: chosen}, rejected: {prompt: prompt, answer: rejected}}}}\n"
           "    steps: 2\n    batch: 4\n" +
           ppo(", judge: annotator", "    reward: [{from: preference}, {from: annotator, weight: 0}]\n    steps: 4\n") +
           "    evaluate: {every: 4}\n"));
  std::string text = read_file(folder_ / "p.yaml");
  text.replace(text.rfind("{prompts: {jsonl: prompts.jsonl}}"), 33,
               "{prompts: {jsonl: prompts.jsonl}, validation: {split: 0.25}}");
  write("p.yaml", text);
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

// Four optimizer steps a rollout and a checkpoint every three: it goes on inside an epoch, with the critic, the moments
// and the price that it had.
TEST_F(RlhfTest, PpoThatIsKilledEndsWithTheSameBits) {
  write("p.yaml", with(ppo(", epochs: 2, minibatches: 2, kl_target: 0.5",
                           "    reward: {rule: {regex: a}}\n    critic: {from: base}\n    steps: 60\n"
                           "    checkpoint: {every: 3}\n")));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  for (const char* at : {"step-3", "step-24"}) {
    const std::string out = std::string("killed-") + at;
    const pid_t child = start(out);
    int status = 0;
    while (!fs::exists(folder_ / out / "ppo/checkpoint" / at) && ::waitpid(child, &status, WNOHANG) == 0)
      std::this_thread::yield();
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended before it was killed";
    const Said said = regimen("run p.yaml --out " + out);
    ASSERT_EQ(said.status, 0) << said.err;
    EXPECT_THAT(said.err, HasSubstr("resumed at step"));
    for (const char* file :
         {"model/model.safetensors", "model/heads.safetensors", "critic/model.safetensors", "critic/heads.safetensors"})
      EXPECT_EQ(hash_of(out + "/ppo/" + file), hash_of(std::string("whole/ppo/") + file)) << at << " " << file;
  }
}

TEST_F(RlhfTest, APolicyLearnsWhatARuleRewards) {
  write("p.yaml",
        with("  - name: grpo\n    strategy: {grpo: {answers: 8, max_tokens: 4}}\n    model: {from: base}\n"
             "    reward: {rule: {regex: 't.*t'}}\n    data: {prompts: {jsonl: prompts.jsonl}}\n    batch: 6\n"
             "    optimizer: {adamw: {learning_rate: 5e-3}}\n    steps: 30\n    log: {every: 1}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  std::vector<double> reward;
  std::ifstream file(folder_ / "runs/tiny/grpo/metrics.jsonl");
  for (std::string line; std::getline(file, line);) reward.push_back(parse_json(line)["reward"]);
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

TEST_F(RlhfTest, PastTheLimitTheLastCheckpointStays) {
  write("p.yaml", with(ppo(", kl: 0, epochs: 1, kl_limit: 0.5",
                           "    reward: {rule: {regex: a}}\n    optimizer: {adamw: {learning_rate: 2e-2}}\n"
                           "    steps: 60\n    checkpoint: {every: 1}\n")));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("above kl_limit"));
  EXPECT_FALSE(fs::is_empty(folder_ / "runs/tiny/ppo/checkpoint"));
}

TEST_F(RlhfTest, RanksThatDoNotMatchTheAnswersAreToldWithTheirRow) {
  write("ranks.jsonl", R"({"prompt": "the", "responses": [" cat", " dog"], "ranks": [1, 2]})"
                       "\n"
                       R"({"prompt": "the", "responses": [" cat", " dog"], "ranks": [1, 2, 2]})"
                       "\n");
  write("p.yaml",
        with("  - name: judge\n    strategy: reward_modeling\n    reward: ranking\n    model: {from: base}\n"
             "    data: {train: {jsonl: ranks.jsonl, columns: {completion: {prompt: prompt, answer: responses}, "
             "rank: ranks}}}\n    steps: 1\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("ranks.jsonl:2"));
  // One answer only, or all ranks equal, say nothing and do no harm.
  write("ranks.jsonl", R"({"prompt": "the", "responses": [" cat"], "ranks": [1]})"
                       "\n"
                       R"({"prompt": "the", "responses": [" cat", " dog"], "ranks": [1, 1]})"
                       "\n");
  const Said again = regimen("run p.yaml");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(result("judge")["loss"], 0);
}

// Two answers, which the judge is taught to tell apart.
constexpr const char* judge_with_an_adapter =
    "  - name: judge\n    strategy: reward_modeling\n    reward: {regression: {loss: logistic}}\n"
    "    model: {from: base}\n    adapter: {lora: {sites: ['*.attention.*', '*.mlp.*']}}\n    batch: 6\n    steps: 60\n"
    "    optimizer: {adamw: {learning_rate: 1e-2}}\n"
    "    data: {train: {tsv: rated.tsv, columns: {completion: 0, value: 1}}}\n";

TEST_F(RlhfTest, AJudgeJudgesWithTheAdapterThatItWasTrainedWith) {
  write("two.jsonl", R"({"prompt": "the", "text": " cat sat"})"
                     "\n"
                     R"({"prompt": "the", "text": " dog ran"})"
                     "\n");
  const std::string columns = ", columns: {completion: {prompt: prompt, answer: text}}}}\n";
  const auto ranked = [&](const char* name, const char* source, const char* from) {
    return std::string("  - name: ") + name +
           "\n    strategy: rank\n    model: {from: base}\n    reward: {from: " + from + "}\n    data: {" + source +
           ": {jsonl: two.jsonl" + columns;
  };
  write("p.yaml", with(judge_with_an_adapter + ranked("ranks", "samples", "judge") + ranked("same", "train", "judge")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto ranks = rows("ranks");
  ASSERT_EQ(ranks.size(), 2U);
  EXPECT_GT(double(ranks[0]["score"]), 2);  // log odds
  EXPECT_LT(double(ranks[1]["score"]), -2);
  EXPECT_EQ(ranks[0]["desirable"], 1);
  EXPECT_EQ(ranks[1]["desirable"], 0);
  EXPECT_EQ(rows("same"), ranks) << "whatever the source of the answers is called";
  write("q.yaml", with(ranked("ranks", "samples", "runs/tiny/judge")));
  ASSERT_EQ(regimen("run q.yaml --out other --set stages.ranks.model.from=runs/tiny/base").status, 0);
  EXPECT_EQ(read_file(folder_ / "other/ranks/rows.jsonl"), read_file(folder_ / "runs/tiny/ranks/rows.jsonl"));
  fs::remove(folder_ / "runs/tiny/judge/model/heads.safetensors");
  const Said lost = regimen("run p.yaml --only ranks --force");
  EXPECT_EQ(lost.status, 2);
  EXPECT_THAT(lost.err, HasSubstr("reward \"regression\": judge has not learned its reward.regression."));
}

TEST_F(RlhfTest, ACriticFromAJudgeWithAnAdapterIsTrainedWhole) {
  write("p.yaml",
        with(judge_with_an_adapter + ppo("", "    reward: {from: judge}\n    critic: {from: judge}\n    steps: 2\n")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result("ppo")["trained_parameters"], 2 * int(result("base")["trained_parameters"]) + 33);
  EXPECT_NE(hash_of("runs/tiny/ppo/critic/model.safetensors"), hash_of("runs/tiny/judge/model/model.safetensors"));
}

TEST_F(RlhfTest, TheNextStageHasItsOwnPrice) {
  const std::string rule = "    reward: {rule: {regex: cat}}\n    steps: 1\n    log: {every: 1}\n";
  std::string again = ppo(", kl: 2", rule);
  again.replace(again.find("name: ppo"), 9, "name: two");
  again.replace(again.find("from: base"), 10, "from: ppo");
  write("p.yaml", with(ppo(", kl: 0.5", rule) + again));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(json("runs/tiny/ppo/metrics.jsonl")["kl_price"], 0.5);
  EXPECT_EQ(json("runs/tiny/two/metrics.jsonl")["kl_price"], 2);
}

// What draws the answers and what the reference says is without it, too.
TEST_F(RlhfTest, ThePolicyHasNoDropoutOfItsOwn) {
  std::string text = with(ppo("", "    reward: {rule: {regex: cat}}\n    steps: 1\n    log: {every: 1}\n"));
  text.replace(text.find("context: 16"), 11, "context: 16, dropout: 0.5");
  write("p.yaml", text);
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto metrics = json("runs/tiny/ppo/metrics.jsonl");
  EXPECT_EQ(metrics["clip_fraction"], 0);
  EXPECT_LT(double(metrics["kl_of_update"]), 1e-10);
}

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

// A reward model that learned nothing shall not teach anybody.
TEST_F(RlhfTest, AStageThatIsNotGoodEnoughHoldsUpWhatFollows) {
  write("p.yaml",
        with("  - name: judge\n    strategy: reward_modeling\n    reward: {regression: {loss: logistic}}\n"
             "    model: {from: base}\n    batch: 6\n    steps: 1\n    demand: {accuracy: 1.5}\n"
             "    data: {train: {tsv: rated.tsv, columns: {completion: 0, value: 1}}, validation: {split: 0.5}}\n" +
             ppo("", "    reward: {from: judge}\n    steps: 1\n")));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, testing::ContainsRegex("stage judge: accuracy is [0-9.]+, and at least 1.5 is demanded"));
  EXPECT_FALSE(fs::exists(folder_ / "runs/tiny/ppo"));
  EXPECT_THAT(read_file(folder_ / "runs/tiny/report.html"), HasSubstr("stage-judge")) << "its last stage is reported";
  const Said again = regimen("run p.yaml");
  EXPECT_EQ(again.status, 1) << "what was made before is held to it, too";
  EXPECT_THAT(again.err, HasSubstr("stage judge: unchanged"));
  const Said near = regimen("run p.yaml --set 'stages.judge.demand={acuracy: 0}'");
  EXPECT_EQ(near.status, 2);
  EXPECT_THAT(near.err, HasSubstr("did you mean \"accuracy\"?"));
  const Said most = regimen("run p.yaml --set 'stages.judge.demand={validation_loss: {at_most: -1}}'");
  EXPECT_EQ(most.status, 1);
  EXPECT_THAT(most.err, testing::ContainsRegex("stage judge: validation_loss is [0-9.]+, and at most -1 is demanded"));
  const Said less = regimen("run p.yaml --set 'stages.judge.demand={accuracy: {at_least: 0, at_most: 1}}'");
  EXPECT_EQ(less.status, 0) << less.err;
  EXPECT_THAT(less.err, HasSubstr("stage judge: unchanged"));
}

TEST_F(RlhfTest, APromptWithoutRoomForAnAnswerIsTold) {
  write("prompts.jsonl", R"({"prompt": "the cat sat on the mat and the dog ran"})"
                         "\n");
  write("p.yaml", with(ppo("", "    reward: {rule: {regex: a}}\n    steps: 1\n")));
  const Said said = regimen("run p.yaml");
  EXPECT_THAT(said.err, HasSubstr("1 of 1 prompts have more than 11 tokens and lose their first ones, as 5 of the 16"));
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
  std::ifstream file(folder_ / "runs/tiny/ppo/metrics.jsonl");
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(parse_json(line));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1]["reward"], 1) << "the penalty is in what is learned from, not in the score";
  EXPECT_EQ(lines[2]["validation_reward"], 1);
  EXPECT_FALSE(lines[2].contains("reward"));
  EXPECT_EQ(result("ppo")["reward"], 1);
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
    std::vector<nlohmann::json> out;
    std::ifstream file(folder_ / "runs/tiny" / stage / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) out.push_back(parse_json(line));
    return out;
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
    EXPECT_THAT(said.err, HasSubstr("play: rollout 3 is left out, and no step learns from it, as none of its answers "
                                    "has a score from reward \"command\""));
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
  EXPECT_THAT(said.err, HasSubstr("play: 10 rollouts one after the other are left out, of the last one as none of its "
                                  "answers has a score from reward \"command\""));
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
  EXPECT_THAT(said.err, HasSubstr("`match` compares answers with the column \"expected\", which the data has not"));
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
    std::ifstream file(folder_ / "runs/tiny/play/metrics.jsonl");
    for (std::string line; std::getline(file, line);)
      if (const auto numbers = parse_json(line);
          numbers.contains("validation_reward") && numbers["validation_reward"].get<double>() > best)
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
  EXPECT_THAT(said.err, HasSubstr("strategy \"ppo\" reads nothing of \"pretrain\" with the options that it has here"));
  beside_text(", ptx: 0.5");
  const Said ran = regimen("run p.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_GT(double(json("runs/tiny/ppo/metrics.jsonl")["ptx_loss"]), 0);
}

}  // namespace
}  // namespace rgm
