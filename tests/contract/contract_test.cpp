// contract_test.cpp - every shape of method, as a plug-in that knows only the SDK, trained for a few steps by the
// program from a pipeline, on the reference backend. What each leaves on disk shows that its part of the contract held.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <numeric>

#include "artefact/safetensors.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/sha256.hpp"

namespace rgm {
namespace {

using nlohmann::json;

class Contract : public testing::Test {
 protected:
  Contract()
      : folder_(fs::temp_directory_path() /
                (std::string("regimen-contract-") + testing::UnitTest::GetInstance()->current_test_info()->name() +
                 "-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
    std::string text;
    for (int i = 0; i < 60; ++i) text += i % 2 ? "the cat sat on the mat. " : "a dog ran to the cat. ";
    write("text.txt", text);
    text.clear();
    for (int i = 0; i < 90; ++i) text += i % 2 ? "zig zag zap. " : "zoo zip zzz. ";
    write("other.txt", text);  // what the base has never seen
    text.clear();
    for (int i = 0; i < 50; ++i) text += "the cat sat on the mat. ";
    write("half.txt", text);  // half of what it has seen
  }
  ~Contract() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& content) const { std::ofstream(folder_ / name) << content; }

  // Runs a pipeline of these stages; what the program said ends in `said_`.
  int run(const std::vector<std::string>& plugins, const std::string& stages, const std::string& out = "run",
          const std::string& more = "") {
    std::string yaml = "regimen: 1\nname: contract\nseed: 7\nbackend: reference\nplugins: [";
    for (const std::string& plugin : plugins)
      yaml += (yaml.ends_with('[') ? "" : ", ") + std::string(REGIMEN_BUILD_DIRECTORY "/lib/regimen-fixtures/") +
              plugin + ".so";
    yaml += "]\n";
    write("pipeline.yaml", yaml + "stages:\n" + stages);
    const auto word = [&](const std::string& name) { return "'" + (folder_ / name).string() + "' "; };  // of a shell
    const std::string command = std::string(REGIMEN_PROGRAM) + " run " + word("pipeline.yaml") + "--out " + word(out) +
                                more + " >" + word("said") + "2>&1";
    const int status = std::system(command.c_str());
    said_ = read_file(folder_ / "said");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  bool said(const std::string& text) const { return said_.find(text) != std::string::npos; }
  std::string hash_of(const std::string& file) const { return sha256(read_file(folder_ / file)); }
  // The numbers of one tensor in a file of the run.
  std::vector<float> numbers(const std::string& file, const std::string& name) const {
    const SafeTensors tensors(folder_ / "run" / file);
    const SavedTensor* found = tensors.find(name);
    if (!found) throw std::runtime_error(file + " has no " + name);
    const auto* begin = reinterpret_cast<const float*>(found->data.data());
    return {begin, begin + found->data.size() / sizeof(float)};
  }

  json result(const std::string& stage) const {
    return parse_json(read_file(folder_ / "run" / stage / "stage.json")).at("result");
  }
  // One number of every line of the stage's metrics that has it.
  std::vector<double> curve(const std::string& stage, const std::string& key) const {
    std::vector<double> out;
    std::ifstream file(folder_ / "run" / stage / "metrics.jsonl");
    for (std::string line; std::getline(file, line);)
      if (const json row = parse_json(line); row.contains(key)) out.push_back(row[key]);
    return out;
  }
  // The stage `base`: a tiny model of the text's bytes.
  static std::string base(int steps = 60) {
    return "  - {name: base, strategy: pretrain, model: {family: gpt2, layers: 2, heads: 2, channels: 16, context: "
           "32}, "
           "tokenizer: bytes, data: {train: {text: text.txt}}, optimizer: {adamw: {learning_rate: 5e-3}}, steps: " +
           std::to_string(steps) + ", batch: 4}\n";
  }
  static std::string adapted(const std::string& adapter, const std::string& rate = "2e-2",
                             const std::string& text = "other.txt") {
    return "  - {name: adapted, strategy: pretrain, model: {from: base}, adapter: {" + adapter +
           "}, data: {train: {text: " + text +
           "}, validation: {split: 0.3}}, evaluate: {every: 4}, optimizer: {adamw: "
           "{learning_rate: " +
           rate +
           "}}, steps: 80, batch: 4, "
           "log: {every: 1}}\n";
  }
  void expect_falls(const std::string& stage, const std::string& key, double by) const {
    // A quarter of the values each, as batches differ.
    const std::vector<double> values = curve(stage, key);
    ASSERT_GE(values.size(), 8U) << said_;
    const size_t n = values.size() / 4;
    const double first = std::accumulate(values.begin(), values.begin() + ptrdiff_t(n), 0.0) / double(n);
    const double last = std::accumulate(values.end() - ptrdiff_t(n), values.end(), 0.0) / double(n);
    EXPECT_LT(last, first - by) << stage << "." << key;
  }

  fs::path folder_;
  std::string said_;
};

TEST_F(Contract, AnAdapterTrainsBesideAFrozenBaseWhoseBytesStay) {
  ASSERT_EQ(run({}, base() + adapted("lora: {rank: 4, dropout: 0.1}")), 0) << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  EXPECT_TRUE(result("adapted").at("base_unchanged").get<bool>());
  // rank 4 on query and value of 2 layers: 2 x 2 x (4 x 16 + 16 x 4)
  EXPECT_EQ(result("adapted").at("trained_parameters"), 512);
  EXPECT_TRUE(fs::exists(folder_ / "run/adapted/adapter/adapter_model.safetensors"));
  const json config = parse_json(read_file(folder_ / "run/adapted/adapter/adapter_config.json"));
  EXPECT_EQ(config.at("peft_type"), "LORA");
  EXPECT_EQ(config.at("r"), 4);
}

TEST_F(Contract, APrefixWithProjectionIsSharedByAllLayers) {
  ASSERT_EQ(run({}, base() + adapted("prefix: {length: 3, projection: true, hidden: 8}")), 0) << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  EXPECT_TRUE(result("adapted").at("base_unchanged").get<bool>());
  // 3 x 16 to be projected, 16 to 8 and 8 to 2 layers x 2 x 16, both with bias
  EXPECT_EQ(result("adapted").at("trained_parameters"), 3 * 16 + (16 * 8 + 8) + (8 * 64 + 64));
  // The file has what the projection answers, for every layer's keys and values.
  EXPECT_EQ(numbers("adapted/adapter/adapter_model.safetensors", "prompt_embeddings").size(), 3U * 64U);
}

TEST_F(Contract, APrefixOfOneLayerIsDecodedAsItWasTrained) {
  ASSERT_EQ(run({}, base() + adapted("prefix: {length: 3, sites: [\"layers.1.attention\"]}")), 0) << said_;
  expect_falls("adapted", "validation_loss", 0.02);
}

TEST_F(Contract, ASoftPromptIsItsTextAtFirst) {
  // A rate that moves nothing: what is saved is what it began with.
  ASSERT_EQ(run({}, base(2) + adapted("soft_prompt: {length: 10, init: text, text: the cat}", "1e-30")), 0) << said_;
  const auto prompt = numbers("adapted/adapter/adapter_model.safetensors", "prompt_embeddings");
  const auto table = numbers("base/model/model.safetensors", "transformer.wte.weight");
  const std::string text = "the catthe";  // repeated until ten tokens are full
  ASSERT_EQ(prompt.size(), 10U * 16U);
  for (size_t i = 0; i < prompt.size(); ++i)
    EXPECT_FLOAT_EQ(prompt[i], table[static_cast<unsigned char>(text[i / 16]) * 16U + i % 16]) << i;
}

TEST_F(Contract, ASoftPromptStartsFromTextAndTrains) {
  ASSERT_EQ(run({}, base(300) + adapted("soft_prompt: {length: 4, init: text, text: the cat}", "0.03", "half.txt")), 0)
      << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  EXPECT_EQ(result("adapted").at("trained_parameters"), 4 * 16);
}

TEST_F(Contract, AnInputHookRescalesWhatALinearLayerReads) {
  ASSERT_EQ(run({}, base() + adapted("ia3: {}")), 0) << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  // keys and values (16 each) and the input of mlp.down (64), 2 layers
  EXPECT_EQ(result("adapted").at("trained_parameters"), 2 * (16 + 16 + 64));
}

TEST_F(Contract, AValueHeadLivesInAScopeOfItsOwnAndIsSaved) {
  std::string rows;
  for (int i = 0; i < 24; ++i)
    rows += json{{"text", i % 2 ? "the cat sat" : "a dog ran"}, {"target", i % 2 ? 1.0 : -1.0}}.dump() + "\n";
  write("rows.jsonl", rows);
  ASSERT_EQ(run({"value_head"},
                base() + "  - {name: valued, strategy: value_head, model: {from: base}, data: {train: {jsonl: "
                         "rows.jsonl}}, steps: 15, batch: 6, micro_batch: 3, log: {every: 1}}\n"),
            0)
      << said_;
  expect_falls("valued", "value_error", 0.1);
  EXPECT_EQ(numbers("valued/model/heads.safetensors", "value_head.weight").size(), 16U);
  EXPECT_NE(numbers("valued/model/heads.safetensors", "value_head.bias")[0], 0);  // where it began

  // A later stage finds the head as it was left.
  const std::string again =
      "  - {name: more, strategy: value_head, model: {from: valued}, data: {train: {jsonl: rows.jsonl}}, optimizer: "
      "{adamw: {learning_rate: 1e-9}}, steps: 4, batch: 24, log: {every: 1}}\n";
  const std::string first =
      base() +
      "  - {name: valued, strategy: value_head, model: {from: base}, data: {train: {jsonl: rows.jsonl}}, steps: "
      "15, batch: 6, micro_batch: 3, log: {every: 1}}\n";
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

TEST_F(Contract, ARankingRewardLearnsFromGroupsWithTies) {
  std::string rows;
  for (int g = 0; g < 8; ++g)
    for (const auto& [text, rank] : {std::pair{"the cat sat", 1}, {"a dog ran", 2}, {"zz zz zz", 2}})
      rows += json{{"completion", text}, {"group", g}, {"rank", rank}}.dump() + "\n";
  write("ranks.jsonl", rows);
  ASSERT_EQ(run({}, base() + "  - {name: judge, strategy: reward_modeling, reward: ranking, model: {from: base}, data: "
                             "{train: {jsonl: ranks.jsonl}}, optimizer: {adamw: {learning_rate: 3e-3}}, steps: 15, "
                             "batch: 4, micro_batch: 2, log: {every: 1}}\n"),
            0)
      << said_;
  expect_falls("judge", "loss", 0.1);
  EXPECT_GT(curve("judge", "accuracy").back(), 0.99);
  const std::vector<double> halves = curve("judge", "loss");

  // Groups never split, so how many are read at once changes nothing.
  const std::string judge =
      "  - {name: judge, strategy: reward_modeling, reward: ranking, model: {from: base}, data: {train: {jsonl: "
      "ranks.jsonl}}, optimizer: {adamw: {learning_rate: 3e-3}}, steps: 15, batch: 4, micro_batch: 4, log: {every: "
      "1}}\n";
  ASSERT_EQ(run({}, base() + judge), 0) << said_;
  const std::vector<double> whole = curve("judge", "loss");
  ASSERT_EQ(halves.size(), whole.size());
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(halves[i], whole[i], 1e-3) << i;

  // A tie alone says nothing: its group adds 0 to the sum over groups, which are now twice as many.
  rows.clear();
  for (int g = 0; g < 8; ++g)
    for (const auto& [text, rank] : {std::pair{"the cat sat", 1}, {"a dog ran", g < 4 ? 2 : 1}})
      rows += json{{"completion", text}, {"group", g}, {"rank", rank}}.dump() + "\n";
  const std::string all = rows;
  write("ranks.jsonl", all.substr(0, all.find("{\"completion\":\"the cat sat\",\"group\":4")));
  const std::string once =
      "  - {name: judge, strategy: reward_modeling, reward: ranking, model: {from: base}, data: {train: {jsonl: "
      "ranks.jsonl}}, optimizer: {adamw: {learning_rate: 1e-9}}, steps: 1, batch: ";
  ASSERT_EQ(run({}, base() + once + "4}\n"), 0) << said_;
  const double without_ties = result("judge").at("loss");
  write("ranks.jsonl", all);
  ASSERT_EQ(run({}, base() + once + "8}\n"), 0) << said_;
  EXPECT_NEAR(result("judge").at("loss").get<double>(), without_ties / 2, 1e-4);
}

TEST_F(Contract, ALearnedRewardJudgesTheAnswersOfALaterStage) {
  std::string rows;
  for (int g = 0; g < 8; ++g)
    for (const auto& [text, rank] : {std::pair{"the cat sat", 1}, {"zz zz zz", 2}})
      rows += json{{"completion", text}, {"group", g}, {"rank", rank}}.dump() + "\n";
  write("ranks.jsonl", rows);
  write("prompts.jsonl", "{\"prompt\": \"the \"}\n{\"prompt\": \"a \"}\n");
  const std::string judge =
      "  - {name: judge, strategy: reward_modeling, reward: ranking, model: {from: base}, data: {train: {jsonl: "
      "ranks.jsonl}}, steps: 3, batch: 4}\n";
  const auto online = [](const std::string& reward) {
    return "  - {name: online, strategy: {online: {max_tokens: 4, answers: 2}}, reward: " + reward +
           ", model: {from: base}, data: {prompts: {jsonl: prompts.jsonl}}, steps: 2, batch: 2, log: {every: 1}}\n";
  };
  ASSERT_EQ(run({"online"}, base() + judge + online("{from: judge}")), 0) << said_;
  const std::vector<double> by_stage = curve("online", "reward");
  ASSERT_FALSE(by_stage.empty());
  // The same from its folder, where the reward is found by the parameters it filed.
  ASSERT_EQ(run({"online"}, base() + judge + online("{from: run/judge}")), 0) << said_;
  EXPECT_EQ(curve("online", "reward"), by_stage);
}

TEST_F(Contract, AnOnlineMethodRollsOutAndAdaptsItsPriceOfKl) {
  std::string rows;
  for (int i = 0; i < 8; ++i) rows += json{{"prompt", i % 2 ? "the " : "a "}}.dump() + "\n";
  write("prompts.jsonl", rows);
  ASSERT_EQ(run({"online"}, base() + "  - {name: online, strategy: {online: {max_tokens: 8, answers: 4}}, reward: "
                                     "{count_letter: {letter: t}}, model: {from: base}, data: {prompts: {jsonl: "
                                     "prompts.jsonl}}, steps: 8, batch: 4, log: {every: 1}}\n"),
            0)
      << said_;
  const std::vector<double> price = curve("online", "kl_price");
  ASSERT_EQ(price.size(), 8U) << said_;
  // The target of 1 nat is far away at first: the price falls by 2 % a rollout.
  for (size_t i = 1; i < 4; ++i) EXPECT_NEAR(price[i] / price[i - 1], 0.98, 1e-4) << i;

  // Two steps and two epochs from each rollout; the policy learns what is asked, and leaves the reference for it.
  const auto longer = [](const std::string& options) {
    return base() + "  - {name: online, strategy: {online: {max_tokens: 8, answers: 4, epochs: 2, minibatches: 2" +
           options +
           "}}, reward: {count_letter: {letter: t}}, model: {from: base}, data: {prompts: {jsonl: "
           "prompts.jsonl}}, optimizer: {adamw: {learning_rate: 5e-3}}, steps: 80, batch: 8, log: {every: 4}}\n";
  };
  ASSERT_EQ(run({"online"}, longer(", kl: 0.001, kl_target: 1e-6")), 0) << said_;
  const std::vector<double> reward = curve("online", "reward"), tight = curve("online", "kl_price");
  ASSERT_EQ(reward.size(), 20U);
  const auto mean = [&](size_t begin) { return std::accumulate(&reward[begin], &reward[begin] + 5, 0.0) / 5; };
  EXPECT_GT(mean(15), mean(0) + 0.1);
  EXPECT_GT(tight.back(), tight[1] * 1.2);  // leaving costs more and more
}

TEST_F(Contract, ARolloutThatWantsMoreStepsThanItHasAnswersIsToldSo) {
  write("prompts.jsonl", "{\"prompt\": \"the \"}\n");
  EXPECT_EQ(
      run({"online"}, base(1) + "  - {name: online, strategy: {online: {max_tokens: 4, answers: 2, minibatches: 8}}, "
                                "reward: {count_letter: {letter: t}}, model: {from: base}, data: {prompts: {jsonl: "
                                "prompts.jsonl}}, steps: 2, batch: 1}\n"),
      2);
  EXPECT_TRUE(said("8 optimizer steps over 2 examples")) << said_;
}

// A critic with an optimizer state of its own, answers that are no UTF-8, random numbers in a rollout, and a crash
// inside an epoch: the run that goes on has the bits of the one that was never stopped.
TEST_F(Contract, AnActorAndItsCriticGoOnInTheMiddleOfAnEpoch) {
  std::string rows;
  for (int i = 0; i < 6; ++i) rows += json{{"prompt", i % 2 ? "the " : "a "}}.dump() + "\n";
  write("prompts.jsonl", rows);
  const std::string stages =
      base(2) +
      "  - {name: play, strategy: actor_critic, reward: {count_letter: {letter: t}}, critic: {from: base}, model: "
      "{from: base}, data: {prompts: {jsonl: prompts.jsonl}}, checkpoint: {every: 3}, steps: 10, batch: 3, "
      "micro_batch: 2, log: {every: 2}}\n";
  const std::vector<std::string> plugins{"actor_critic", "online"};
  ASSERT_EQ(run(plugins, stages, "whole"), 0) << said_;
  ::setenv("REGIMEN_FIXTURE_CRASH_AT", "12", 1);  // two micro-batches a step: in the sixth
  EXPECT_NE(run(plugins, stages, "crashed"), 0);
  ::unsetenv("REGIMEN_FIXTURE_CRASH_AT");
  ASSERT_EQ(run(plugins, stages, "crashed"), 0) << said_;
  EXPECT_TRUE(said("resumed at step 3")) << said_;
  for (const char* file : {"play/model/model.safetensors", "play/critic/model.safetensors",
                           "play/critic/heads.safetensors", "play/metrics.jsonl"}) {
    if (std::string(file).ends_with("jsonl")) continue;
    EXPECT_EQ(hash_of("crashed/" + std::string(file)), hash_of("whole/" + std::string(file))) << file;
  }
  EXPECT_NE(hash_of("whole/play/critic/model.safetensors"), hash_of("whole/base/model/model.safetensors"));
}

TEST_F(Contract, AStrategyMayEndItsStageAsIfItWereDone) {
  write("prompts.jsonl", "{\"prompt\": \"the \"}\n{\"prompt\": \"a \"}\n");
  ASSERT_EQ(
      run({"actor_critic", "online"},
          base(2) + "  - {name: play, strategy: {actor_critic: {cancel_after: 2}}, reward: {count_letter: {letter: "
                    "t}}, critic: {from: base}, model: {from: base}, data: {prompts: {jsonl: prompts.jsonl}}, steps: "
                    "10, batch: 2, schedule: {linear: {final: 0}}}\n"),
      0)
      << said_;
  EXPECT_TRUE(said("play: ends after step 2: the option cancel_after says so")) << said_;
  EXPECT_EQ(result("play").at("steps"), 2);
  EXPECT_EQ(curve("play", "loss").size(), 1U);  // the last step that counts is told
  // With the rate it was taken with: 0.001 fell by a tenth, as there were to be 10 steps.
  EXPECT_NEAR(curve("play", "learning_rate").at(0), 0.0009, 1e-9);
}

// Interrupted while it samples: it goes on from there, and not with the steps that there were to be.
TEST_F(Contract, AStageThatItsStrategyEndedStaysEnded) {
  write("prompts.jsonl", "{\"prompt\": \"the \"}\n{\"prompt\": \"a \"}\n");
  const auto begun = [&](const std::string& tokens) {
    return run({"actor_critic", "online"},
               base(2) +
                   "  - {name: play, strategy: {actor_critic: {cancel_after: 2}}, reward: {count_letter: {letter: "
                   "t}}, critic: {from: base}, model: {from: base}, data: {prompts: {jsonl: prompts.jsonl}}, "
                   "steps: 10, batch: 2, sample: {prompt: \"the \", tokens: " +
                   tokens + "}}\n");
  };
  ::setenv("REGIMEN_FIXTURE_INTERRUPT", "1", 1);
  EXPECT_EQ(begun("1000000"), 130) << said_;
  ::unsetenv("REGIMEN_FIXTURE_INTERRUPT");
  ASSERT_EQ(begun("5"), 0) << said_;
  EXPECT_TRUE(said("play: resumed at step 2")) << said_;
  EXPECT_EQ(result("play").at("steps"), 2);
}

TEST_F(Contract, ATeacherIsReadWithItsAdapters) {
  const auto pupil = [](const std::string& teacher) {
    return "  - {name: student, strategy: {distill: {divergence: forward, share: 1}}, teacher: {from: " + teacher +
           "}, model: {from: base}, data: {train: {text: text.txt}}, steps: 1, batch: 4}\n";
  };
  ASSERT_EQ(run({}, base() + adapted("lora: {rank: 4}") + pupil("base")), 0) << said_;
  EXPECT_NEAR(result("student").at("loss").get<double>(), 0, 1e-5);  // it is its own teacher
  ASSERT_EQ(run({}, base() + adapted("lora: {rank: 4}") + pupil("adapted")), 0) << said_;
  EXPECT_GT(result("student").at("loss").get<double>(), 1e-3);
}

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

TEST_F(Contract, ATeacherPullsItsStudent) {
  ASSERT_EQ(run({}, base(60) + "  - {name: student, strategy: {distill: {divergence: forward, share: 1}}, teacher: "
                               "{from: base}, model: {family: gpt2, layers: 1, heads: 2, channels: 16, context: 32}, "
                               "tokenizer: bytes, data: {train: {text: text.txt}}, optimizer: {adamw: {learning_rate: "
                               "5e-3}}, steps: 25, batch: 4, log: {every: 1}}\n"),
            0)
      << said_;
  expect_falls("student", "loss", 0.3);
}

// A teacher that keeps nothing of itself is the student of the step before; one that does lags behind. So it is in a
// model of its own, and where the two share a base and have adapters of their own.
TEST_F(Contract, ATeacherFollowsItsStudent) {
  const auto taught = [](const std::string& name, const std::string& decay, const std::string& more) {
    return "  - {name: " + name + ", strategy: {mean_teacher: {decay: " + decay +
           "}}, model: {from: base}, data: {train: {text: other.txt}}, optimizer: {adamw: {learning_rate: 1e-2}}, "
           "steps: 3, batch: 2, log: {every: 1}" +
           more + "}\n";
  };
  const std::string adapted = ", adapter: {lora: {rank: 2}}";
  ASSERT_EQ(run({"mean_teacher"}, base(2) + taught("own-0", "0", "") + taught("own-9", "0.9", "") +
                                      taught("shared-0", "0", adapted) + taught("shared-9", "0.9", adapted)),
            0)
      << said_;
  for (const std::string base : {"own", "shared"}) {
    const std::vector<double> none = curve(base + "-0", "apart"), some = curve(base + "-9", "apart");
    ASSERT_EQ(none.size(), 3U) << said_;
    for (const double apart : none) EXPECT_NEAR(apart, 0, 1e-6) << base;
    EXPECT_NEAR(some[0], 0, 1e-6) << "it starts as the student";
    for (const double apart : {some[1], some[2]}) EXPECT_GT(apart, 1e-6) << base;
  }
}

TEST_F(Contract, ATeacherThatFollowsGoesOnFromItsCheckpoint) {
  const std::string stages =
      base(2) +
      "  - {name: taught, strategy: mean_teacher, model: {from: base}, adapter: {lora: {rank: 2}}, data: {train: "
      "{text: other.txt}}, checkpoint: {every: 2}, steps: 6, batch: 2}\n";
  ASSERT_EQ(run({"mean_teacher"}, stages, "whole"), 0) << said_;
  ::setenv("REGIMEN_FIXTURE_CRASH_AT", "5", 1);
  EXPECT_NE(run({"mean_teacher"}, stages, "crashed"), 0);
  ::unsetenv("REGIMEN_FIXTURE_CRASH_AT");
  ASSERT_EQ(run({"mean_teacher"}, stages, "crashed"), 0) << said_;
  EXPECT_TRUE(said("resumed at step 4")) << said_;
  const std::string file = "/taught/adapter/adapter_model.safetensors";
  EXPECT_EQ(hash_of("crashed" + file), hash_of("whole" + file));
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
