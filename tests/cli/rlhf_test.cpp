// rlhf_test.cpp - from samples to PPO in one file: what each stage leaves, what is wrong in the data, and a run that is
// killed on the way.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

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
                           "    checkpoint: {every: 3}\n    optimizer: {adamw: {rates: {\"value.*\": 1e-3}}}\n")));
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

// 32 channels and a bias, which the strategy files when the stage begins.
TEST_F(RlhfTest, ACriticsHeadHasARateOfItsOwn) {
  write("p.yaml", with(ppo("",
                           "    reward: {rule: {regex: a}}\n    steps: 2\n"
                           "    optimizer: {adamw: {learning_rate: 0.25, rates: {\"value.*\": 0.5}}}\n")));
  const Said said = regimen("plan p.yaml --json");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(parse_json(said.out)[1]["rates"],
            parse_json(R"([{"learning_rate": 0.5, "parameters": 33, "pattern": "value.*"},
                           {"learning_rate": 0.25, "parameters": 26784}])"));
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
  EXPECT_THAT(said.err, testing::ContainsRegex("stage judge: accuracy is [0-9.]+, but at least 1.5 is demanded"));
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
  EXPECT_THAT(most.err, testing::ContainsRegex("stage judge: validation_loss is [0-9.]+, but at most -1 is demanded"));
  const Said less = regimen("run p.yaml --set 'stages.judge.demand={accuracy: {at_least: 0, at_most: 1}}'");
  EXPECT_EQ(less.status, 0) << less.err;
  EXPECT_THAT(less.err, HasSubstr("stage judge: unchanged"));
}

}  // namespace
}  // namespace rgm
