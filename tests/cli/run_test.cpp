// run_test.cpp - `regimen run` and `regimen generate`: what is left on disk, and that it is not made twice.
#include <gmock/gmock.h>

#include <sstream>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(TinyRun, ARunLeavesWhatItSays) {
  write("p.yaml", tiny(20, "    log: {every: 5}\n    sample: {prompt: \"the \", tokens: 10}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out, "");
  EXPECT_THAT(said.err, HasSubstr("26,784 parameters, 26,784 trained"));
  EXPECT_THAT(said.err, HasSubstr("validation loss"));
  EXPECT_THAT(said.err, HasSubstr("runs/tiny/report.html"));

  const auto stage = json("runs/tiny/base/stage.json");
  const auto& result = stage["result"];
  EXPECT_EQ(stage["status"], "done");
  EXPECT_EQ(result["steps"], 20);
  EXPECT_EQ(result["trained_parameters"], 26784);
  EXPECT_EQ(result["base_unchanged"], false);
  EXPECT_EQ(result["sha256"], hash_of("runs/tiny/base/model/model.safetensors"));
  EXPECT_GT(result["peak_memory_bytes"], 1'000'000);
  EXPECT_LT(result["validation_loss"], 3.3);  // log 25 = 3.22 is what a guess costs
  EXPECT_EQ(stage["samples"][0]["prompt"], "the ");
  EXPECT_EQ(json("runs/tiny/run.json")["stages"][0], "base");
  EXPECT_EQ(json("runs/tiny/base/model/config.json")["n_layer"], 2);
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/base/model/tokenizer.json"));
  EXPECT_THAT(read_file(folder_ / "runs/tiny/report.html"), HasSubstr("</html>"));
  EXPECT_FALSE(fs::exists(folder_ / "runs/tiny/base/checkpoint"));

  std::istringstream metrics(read_file(folder_ / "runs/tiny/base/metrics.jsonl"));
  int lines = 0;
  for (std::string line; std::getline(metrics, line); ++lines) EXPECT_TRUE(parse_json(line).contains("step"));
  EXPECT_EQ(lines, 5);  // four of training, one of held-out data
}

TEST_F(TinyRun, HeldOutDataIsRecordedWithTheColumnsOfWhatItIsHeldOutOf) {
  write("p.yaml", tiny(1));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const auto data = json("runs/tiny/base/stage.json")["data"];
  EXPECT_EQ(data["train"]["token_columns"], nlohmann::json::array({"text"}));
  EXPECT_EQ(data["validation"]["token_columns"], nlohmann::json::array({"text"}));
}

// Three stages of a moment each: the first two are made again, the last is as it was, and no longer good enough.
TEST_F(TinyRun, TheReportHasTheNewestStageWhenALaterOneEndsTheRun) {
  std::string all = tiny(1);
  for (const char* name : {"second", "third"})
    all += "  - name: " + std::string(name) +
           "\n    strategy: pretrain\n    model: {family: gpt2, layers: 1, heads: 2, channels: 16, context: 16}\n"
           "    tokenizer: characters\n    data: {train: {text: text.txt}}\n    batch: 4\n    steps: 1\n";
  write("p.yaml", all);
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const Said said = regimen(
      "run p.yaml --set stages.base.steps=2 --set stages.second.steps=2 --set 'stages.third.demand={loss: {at_most: "
      "0}}'");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("stage third: loss is"));
  EXPECT_EQ(json("runs/tiny/second/stage.json")["result"]["steps"], 2);
  EXPECT_GE(fs::last_write_time(folder_ / "runs/tiny/report.html"),
            fs::last_write_time(folder_ / "runs/tiny/second/stage.json"));
}

TEST_F(TinyRun, WhatHasNotChangedIsNotRunAgain) {
  write("p.yaml", tiny(5));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  EXPECT_THAT(regimen("run p.yaml").err, HasSubstr("stage base: unchanged, not run again"));
  EXPECT_THAT(regimen("run p.yaml --force").err, Not(HasSubstr("unchanged")));
  EXPECT_THAT(regimen("run p.yaml --set seed=4").err, Not(HasSubstr("unchanged")));
  write("text.txt", read_file(folder_ / "text.txt") + "and a cat\n");
  EXPECT_THAT(regimen("run p.yaml --set seed=4").err, Not(HasSubstr("unchanged")));
}

TEST_F(TinyRun, EveryLineOfTrainingHasItsKeys) {
  write("p.yaml", tiny(20, "    log: {every: 5}\n    evaluate: {every: 5}\n"));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  std::istringstream metrics(read_file(folder_ / "runs/tiny/base/metrics.jsonl"));
  int trained = 0;
  for (std::string line; std::getline(metrics, line);) {
    const auto row = parse_json(line);
    if (!row.contains("loss")) continue;
    ++trained;
    for (const char* key : {"step", "tokens", "learning_rate", "gradient_norm", "tokens_per_second"})
      EXPECT_TRUE(row.contains(key)) << key << " is not in " << line;
    EXPECT_EQ(row["tokens"], row["step"].get<int>() * 4 * 16);
  }
  EXPECT_EQ(trained, 4);
}

TEST_F(TinyRun, AResultThatWasDamagedIsMadeAgain) {
  write("p.yaml", tiny(5));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const std::string whole = hash_of("runs/tiny/base/model/model.safetensors");
  write("runs/tiny/base/model/model.safetensors", "half");
  EXPECT_THAT(regimen("run p.yaml").err, Not(HasSubstr("unchanged")));
  EXPECT_EQ(hash_of("runs/tiny/base/model/model.safetensors"), whole);
  fs::remove_all(folder_ / "runs/tiny/base/model");
  EXPECT_THAT(regimen("run p.yaml").err, Not(HasSubstr("unchanged")));
}

TEST_F(TinyRun, AStageThatFailedSaysWhy) {
  write("p.yaml", tiny(20, "    optimizer: {sgd: {learning_rate: 1e30}}\n    clip: 0\n    log: {every: 1}\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("is not finite"));
  EXPECT_THAT(said.err, HasSubstr("There is no checkpoint yet"));
  EXPECT_EQ(json("runs/tiny/base/stage.json")["status"], "failed");
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/report.html"));
}

TEST_F(TinyRun, APromptThatCannotBeReadIsFoundBeforeTheFirstStep) {
  write("p.yaml", tiny(20, "    log: {every: 1}\n    sample: {prompt: \"é\"}\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("\"é\" (U+00E9)"));
  EXPECT_THAT(said.err, Not(HasSubstr("step 1/20")));
}

TEST_F(TinyRun, TwoRunsOfOneSeedGiveOneModel) {
  write("p.yaml", tiny(10));
  ASSERT_EQ(regimen("run p.yaml --out a").status, 0);
  ASSERT_EQ(regimen("run p.yaml --out b").status, 0);
  EXPECT_EQ(hash_of("a/base/model/model.safetensors"), hash_of("b/base/model/model.safetensors"));
  ASSERT_EQ(regimen("run p.yaml --out c --set seed=4").status, 0);
  EXPECT_NE(hash_of("a/base/model/model.safetensors"), hash_of("c/base/model/model.safetensors"));
}

TEST_F(TinyRun, AStageGoesOnFromAnEarlierOne) {
  write("p.yaml", tiny(5,
                       "  - name: more\n    strategy: pretrain\n    model: {from: base}\n    trainable: {last: 1}\n"
                       "    data: {train: {text: text.txt}}\n    steps: 5\n"));
  const Said plan = regimen("plan p.yaml");
  EXPECT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("stage more"));
  EXPECT_EQ(regimen("run p.yaml --only more").status, 2);
  EXPECT_EQ(regimen("run p.yaml --only nothing").status, 2);
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  // one layer, 12 C^2 + 13 C, and the last norm, 2 C
  EXPECT_EQ(json("runs/tiny/more/stage.json")["result"]["trained_parameters"], 12768);
  EXPECT_THAT(regimen("run p.yaml").err, HasSubstr("stage more: unchanged"));
}

TEST_F(TinyRun, TextIsTheSameForTheSameSeed) {
  write("p.yaml", tiny(5));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const std::string ask = "generate --model runs/tiny/base --backend reference --prompt 'the cat' --max-tokens 40";
  const Said one = regimen(ask + " --seed 1");
  ASSERT_EQ(one.status, 0) << one.err;
  EXPECT_TRUE(one.out.starts_with("the cat"));
  EXPECT_EQ(one.out.size(), 7 + 40 + 1u);
  EXPECT_EQ(regimen(ask + " --seed 1").out, one.out);
  EXPECT_NE(regimen(ask + " --seed 2").out, one.out);
  const std::string likeliest = regimen(ask + " --temperature 0 --seed 1").out;
  EXPECT_EQ(regimen(ask + " --top-k 1 --seed 2").out, likeliest);
  EXPECT_EQ(regimen(ask + " --min-p 1 --seed 2").out, likeliest);
  EXPECT_EQ(regimen("generate --model nowhere --prompt x").status, 2);
  EXPECT_EQ(regimen("generate --model runs/tiny/base").status, 2);
  EXPECT_EQ(regimen(ask + " --top-p 2").status, 2);
}

// Of characters each is a token. Of two stops the one that comes first ends a text, and stays in it.
TEST_F(TinyRun, StopsEndATextAndStayInIt) {
  const auto stops_in = [](const std::string& whole) { return std::vector{whole.substr(2, 1), whole.substr(5, 1)}; };
  const auto ended = [&](const std::string& whole) {
    return whole.substr(0, whole.find_first_of(stops_in(whole)[0] + stops_in(whole)[1]) + 1);
  };
  const std::string sampled = "    sample: {prompt: the cat, tokens: 20, temperature: 0";
  write("p.yaml", tiny(5, sampled + "}\n"));
  ASSERT_EQ(regimen("run p.yaml").status, 0);

  const std::string ask = "generate --model runs/tiny/base --backend reference --temperature 0 --max-tokens 20";
  const Said all = regimen(ask + " --prompt 'the cat'");
  ASSERT_EQ(all.out.size(), 7 + 20 + 1U) << all.err;
  const std::string answer = all.out.substr(7, 20);
  const std::string stops = " --stop '" + stops_in(answer)[0] + "' --stop '" + stops_in(answer)[1] + "'";
  EXPECT_EQ(regimen(ask + stops + " --prompt 'the cat'").out, "the cat" + ended(answer) + "\n");
  write("prompts.jsonl", "{\"prompt\": \"the cat\"}\n");
  EXPECT_EQ(parse_json(regimen(ask + stops + " --prompts prompts.jsonl").out)["text"], ended(answer));

  const std::string sample = json("runs/tiny/base/stage.json")["samples"][0]["text"];
  ASSERT_GT(sample.size(), 5U);
  const auto list = nlohmann::json::array({stops_in(sample)[0], stops_in(sample)[1]});
  write("p.yaml", tiny(5, sampled + ", stop: " + list.dump() + "}\n"));
  ASSERT_EQ(regimen("run p.yaml --out ended").status, 0);
  EXPECT_EQ(json("ended/base/stage.json")["samples"][0]["text"], ended(sample));
  EXPECT_EQ(json("ended/base/stage.json")["configuration"]["sample"]["stop"], list);
}

}  // namespace
}  // namespace rgm
