// contract_test.cpp - every shape of method, as a plug-in that knows only the SDK, trained for a few steps by the
// program from a pipeline, on the reference backend. What each leaves on disk shows that its part of the contract held.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/file.hpp"

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
  int run(const std::vector<std::string>& plugins, const std::string& stages) {
    std::string yaml = "regimen: 1\nname: contract\nseed: 7\nbackend: reference\nplugins:\n";
    for (const std::string& plugin : plugins)
      yaml += "  - " REGIMEN_BUILD_DIRECTORY "/lib/regimen-fixtures/" + plugin + ".so\n";
    write("pipeline.yaml", yaml + "stages:\n" + stages);
    const std::string said = (folder_ / "said").string();
    const std::string command = std::string(REGIMEN_PROGRAM) + " run " + (folder_ / "pipeline.yaml").string() +
                                " --out " + (folder_ / "run").string() + " >" + said + " 2>&1";
    const int status = std::system(command.c_str());
    said_ = read_file(said);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  json result(const std::string& stage) const {
    return json::parse(read_file(folder_ / "run" / stage / "stage.json")).at("result");
  }
  // One number of every line of the stage's metrics that has it.
  std::vector<double> curve(const std::string& stage, const std::string& key) const {
    std::vector<double> out;
    std::ifstream file(folder_ / "run" / stage / "metrics.jsonl");
    for (std::string line; std::getline(file, line);)
      if (const json row = json::parse(line); row.contains(key)) out.push_back(row[key]);
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
  ASSERT_EQ(run({"lora"}, base() + adapted("lora: {rank: 4, dropout: 0.1}")), 0) << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  EXPECT_TRUE(result("adapted").at("base_unchanged").get<bool>());
  // rank 4 on query and value of 2 layers: 2 x 2 x (4 x 16 + 16 x 4)
  EXPECT_EQ(result("adapted").at("trained_parameters"), 512);
  EXPECT_TRUE(fs::exists(folder_ / "run/adapted/adapter/adapter_model.safetensors"));
  const json config = json::parse(read_file(folder_ / "run/adapted/adapter/adapter_config.json"));
  EXPECT_EQ(config.at("peft_type"), "LORA");
  EXPECT_EQ(config.at("r"), 4);
}

TEST_F(Contract, APrefixWithProjectionIsSharedByAllLayers) {
  ASSERT_EQ(run({"prefix"}, base() + adapted("prefix: {tokens: 3, projection: true, hidden: 8}")), 0) << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  EXPECT_TRUE(result("adapted").at("base_unchanged").get<bool>());
}

TEST_F(Contract, ASoftPromptStartsFromTextAndTrains) {
  ASSERT_EQ(run({"soft_prompt"},
                base(300) + adapted("soft_prompt: {tokens: 4, init: text, text: the cat}", "0.03", "half.txt")),
            0)
      << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  EXPECT_EQ(result("adapted").at("trained_parameters"), 4 * 16);
}

TEST_F(Contract, AnInputHookRescalesWhatALinearLayerReads) {
  ASSERT_EQ(run({"ia3"}, base() + adapted("ia3: {}")), 0) << said_;
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
  expect_falls("valued", "loss", 0.01);
  EXPECT_TRUE(fs::exists(folder_ / "run/valued/model/heads.safetensors"));
}

TEST_F(Contract, DpoReadsPackedRowsAndReferencesThatWereAnnotatedOnce) {
  std::string rows;
  for (int i = 0; i < 12; ++i)
    rows += json{{"chosen", "the cat sat on the mat"}, {"rejected", i % 2 ? "zzz zzz" : "a dog"}}.dump() + "\n";
  write("pairs.jsonl", rows);
  ASSERT_EQ(
      run({"dpo"}, base() + "  - {name: dpo, strategy: dpo, model: {from: base}, data: {train: {jsonl: pairs.jsonl}}, "
                            "optimizer: {adamw: {learning_rate: 1e-3}}, steps: 10, batch: 6, micro_batch: 3, log: "
                            "{every: 1}}\n"),
      0)
      << said_;
  EXPECT_NEAR(curve("dpo", "loss").front(), 0.693147, 1e-3);  // the policy is the reference at first
  expect_falls("dpo", "loss", 0.05);
}

TEST_F(Contract, ARankingRewardLearnsFromGroupsWithTies) {
  std::string rows;
  for (int g = 0; g < 8; ++g)
    for (const auto& [text, rank] : {std::pair{"the cat sat", 1}, {"a dog ran", 2}, {"zz zz zz", 2}})
      rows += json{{"completion", text}, {"group", g}, {"rank", rank}}.dump() + "\n";
  write("ranks.jsonl", rows);
  ASSERT_EQ(run({"ranking"},
                base() + "  - {name: judge, strategy: reward_fixture, reward: ranking, model: {from: base}, data: "
                         "{train: {jsonl: ranks.jsonl}}, optimizer: {adamw: {learning_rate: 3e-3}}, steps: 15, "
                         "batch: 4, micro_batch: 2, log: {every: 1}}\n"),
            0)
      << said_;
  expect_falls("judge", "loss", 0.1);
  EXPECT_GT(curve("judge", "accuracy").back(), 0.99);
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
  ASSERT_GE(price.size(), 2U) << said_ << read_file(folder_ / "run/online/metrics.jsonl");
  EXPECT_NE(price.front(), price.back());
}

TEST_F(Contract, ATeacherPullsItsStudent) {
  ASSERT_EQ(run({"distill"},
                base(60) + "  - {name: student, strategy: {distill: {divergence: forward, share: 1}}, teacher: "
                           "{from: base}, model: {family: gpt2, layers: 1, heads: 2, channels: 16, context: 32}, "
                           "tokenizer: bytes, data: {train: {text: text.txt}}, optimizer: {adamw: {learning_rate: "
                           "5e-3}}, steps: 25, batch: 4, log: {every: 1}}\n"),
            0)
      << said_;
  expect_falls("student", "loss", 0.3);
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
