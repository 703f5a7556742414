// effective_test.cpp - the values in force of a stage, as `plan` prints them.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "fake_components.hpp"
#include "pipeline/open_model.hpp"

namespace rgm::fake {
namespace {

using ReadPipeline = PipelineTest;

TEST_F(ReadPipeline, EffectiveHoldsEveryValueInForce) {
  const nlohmann::json e = read(one_stage("    steps: 7\n    adapter: low_rank\n")).stages[0].effective;
  EXPECT_EQ(e["strategy"], parse_json(R"({"pretrain": {}})"));
  EXPECT_EQ(e["adapter"], parse_json(R"([{"low_rank": {"rank": 8, "alpha": 16.0, "sites": ["*.query"]}}])"));
  EXPECT_EQ(e["tokenizer"], "bytes");
  EXPECT_EQ(e["optimizer"]["adamw"]["beta2"], 0.999);
  EXPECT_EQ(e["steps"], 7);
  EXPECT_EQ(e["micro_batch"], 8);
  EXPECT_EQ(e["trainable"], "adapter");
  EXPECT_EQ(e["data"]["train"]["text"][0], (folder_ / "data/a.txt").string());
  EXPECT_FALSE(e.contains("epochs"));
  // 1 layer, 2 heads, 8 channels
  EXPECT_EQ(e["model"]["kv_heads"], 2);
  EXPECT_EQ(e["model"]["hidden"], 32);
  EXPECT_EQ(e["model"]["dropout"], 0);
  EXPECT_EQ(e["model"]["tied"], true);
}

// A dense mlp of 8 channels would have 24 hidden ones: with two experts a token 8 each, so that they are a multiple
// of 8.
TEST_F(ReadPipeline, ExpertsAreInForce) {
  const nlohmann::json model =
      read(with_line(5, "    model: {family: olmoe, layers: 1, heads: 2, channels: 8, context: 8}"))
          .stages[0]
          .effective["model"];
  EXPECT_EQ(model["experts"], 8);
  EXPECT_EQ(model["experts_per_token"], 2);
  EXPECT_EQ(model["expert_hidden"], 8);
  EXPECT_EQ(model["balance"], 0.01);
  EXPECT_FALSE(model.contains("hidden"));
  EXPECT_FALSE(model.contains("shared_hidden"));
}

TEST_F(ReadPipeline, ALengthAndAMergedModelAreInForce) {
  const Pipeline p = read(one_stage("    steps: 7\n    length: 6\n    adapter: low_rank\n") +
                          "  - {name: b, strategy: pretrain, model: {from: base, merged: true}, data: {train: {text: "
                          "a.txt}}, steps: 1}\n");
  EXPECT_EQ(p.stages[0].length, 6);
  EXPECT_EQ(p.stages[0].effective["length"], 6);
  EXPECT_FALSE(p.stages[1].effective.contains("length"));
  EXPECT_TRUE(p.stages[1].model.merged);
  EXPECT_EQ(p.stages[1].effective["model"], parse_json(R"({"from": "base", "merged": true})"));
}

TEST_F(ReadPipeline, AddedTokensKeepTheirOrder) {
  const Stage stage = read(one_stage("    steps: 7\n") +
                           "  - {name: b, strategy: pretrain, model: {from: base, add_tokens: [<b>, <a>]}, data: "
                           "{train: {text: a.txt}}, steps: 1}\n")
                          .stages[1];
  EXPECT_THAT(stage.model.add_tokens, testing::ElementsAre("<b>", "<a>"));
  EXPECT_EQ(stage.effective["model"], parse_json(R"({"from": "base", "add_tokens": ["<b>", "<a>"]})"));
}

TEST_F(ReadPipeline, ANewModelSharesItsEmbeddingWithItsHeadWhereAskedTo) {
  const auto of = [&](const std::string& more) {
    std::string text = one_stage("    steps: 7\n");
    text.replace(text.find("family: gpt2"), 12, "family: qwen2" + more);
    return read(text).stages[0];
  };
  EXPECT_EQ(of("").effective["model"]["tied"], false);
  EXPECT_EQ(of(", tied: true").effective["model"]["tied"], true);
  EXPECT_EQ(config_of(of(", tied: true").model, 10).is_tied(), true);
  EXPECT_EQ(config_of(of("").model, 10).is_tied(), false);
}

TEST_F(ReadPipeline, EffectiveSaysWhatIsHeldOut) {
  const ReadOptions options = set({"stages.base.data.validation.split=0.1"});
  const nlohmann::json e = read(one_stage("    steps: 7\n"), options).stages[0].effective;
  EXPECT_EQ(e["data"]["validation"]["split"], 0.1);
  EXPECT_FALSE(e["data"]["train"].contains("split"));
}

TEST_F(ReadPipeline, PartsOfAScheduleAreStepsOrShares) {
  const Stage shares = read(one_stage("    steps: 200\n    schedule: {wsd: {warmup: 3%, final: 1e-5}}\n")).stages[0];
  EXPECT_EQ(shares.schedule.warmup.of(200), 6);
  EXPECT_EQ(shares.schedule.decay.of(200), 20);
  EXPECT_EQ(shares.effective["schedule"], parse_json(R"({"wsd": {"warmup": "3%", "decay": "10%", "final": 1e-5}})"));
  const Stage steps = read(one_stage("    steps: 7\n    schedule: {wsd: {warmup: 2, decay: 3}}\n")).stages[0];
  EXPECT_EQ(steps.effective["schedule"], parse_json(R"({"wsd": {"warmup": 2, "decay": 3, "final": 0.0}})"));
  const Stage given = read(one_stage("    steps: 7\n"), set({"stages.base.schedule.linear.warmup=2.5%"})).stages[0];
  EXPECT_EQ(given.schedule.warmup.percent, 2.5);
  EXPECT_EQ(given.effective["schedule"]["linear"]["warmup"], "2.5%");
}

// As `plan` prints them they can be given, too.
TEST_F(ReadPipeline, RatesKeepTheirOrder) {
  const auto of = [&](const std::string& rates) {
    return read(one_stage("    steps: 7\n    optimizer: {sgd: {rates: " + rates + "}}\n")).stages[0];
  };
  const Stage stage = of("{\"z*\": 1e-3, a.b: 0.5}");
  ASSERT_EQ(stage.optimizer.rates.size(), 2u);
  EXPECT_EQ(stage.optimizer.rates[0].pattern, "z*");
  EXPECT_EQ(stage.optimizer.rates[0].learning_rate, 1e-3);
  EXPECT_EQ(stage.optimizer.rates[1].pattern, "a.b");
  const nlohmann::json printed = stage.effective["optimizer"]["sgd"]["rates"];
  EXPECT_EQ(printed, parse_json(R"([{"z*": 1e-3}, {"a.b": 0.5}])"));
  EXPECT_EQ(of(printed.dump()).effective, stage.effective);
  EXPECT_NE(of("{a.b: 0.5, \"z*\": 1e-3}").effective, stage.effective);
  EXPECT_FALSE(of("{}").effective["optimizer"]["sgd"].contains("rates"));
}

TEST_F(ReadPipeline, TheBestIsByTheNumberThatIsNamed) {
  const auto of = [&](const std::string& line) {
    return read(one_stage("    steps: 7\n    " + line + "\n"), set({"stages.base.data.validation.split=0.5"}))
        .stages[0];
  };
  const Stage highest = of("keep: {best: validation_accuracy}");
  EXPECT_EQ(highest.keep, "best");
  EXPECT_EQ(highest.best_by, "validation_accuracy");
  EXPECT_TRUE(highest.highest_is_best);
  EXPECT_EQ(highest.effective["checkpoint"]["keep"], parse_json(R"({"best": {"validation_accuracy": "highest"}})"));
  const Stage lowest = of("checkpoint: {every: 2, keep: {best: validation_perplexity}}");
  EXPECT_EQ(lowest.best_by, "validation_perplexity");
  EXPECT_FALSE(lowest.highest_is_best);
  EXPECT_EQ(lowest.effective["checkpoint"]["every"], 2);
  EXPECT_TRUE(of("keep: {best: {validation_loss: highest}}").highest_is_best);
  EXPECT_EQ(of("keep: best").best_by, "");
  EXPECT_EQ(of("keep: best").effective["checkpoint"]["keep"], "best");
}

TEST_F(ReadPipeline, RowsAtOnceThatAreChosenLaterAreNoNumberYet) {
  const Stage stage = read(one_stage("    steps: 7\n    micro_batch: auto\n")).stages[0];
  EXPECT_TRUE(stage.micro_batch_auto);
  EXPECT_EQ(stage.micro_batch, 0);
  EXPECT_EQ(stage.effective["micro_batch"], "auto");
  const Stage given =
      read(one_stage("    steps: 7\n    micro_batch: auto\n"), set({"stages.base.micro_batch=3"})).stages[0];
  EXPECT_FALSE(given.micro_batch_auto);
  EXPECT_EQ(given.effective["micro_batch"], 3);
}

TEST_F(ReadPipeline, AMeanOfTheWeightsIsPrintedAsItCanBeGiven) {
  const auto of = [&](const std::string& keep, const std::string& more = "") {
    std::vector<std::string> all = {"stages.base.data.validation.split=0.5"};
    if (!more.empty()) all.push_back(more);
    return read(one_stage("    steps: 7\n    keep: " + keep + "\n"), ReadOptions{all, {}}).stages[0];
  };
  const Stage mean = of("{average: 0.99}");
  EXPECT_EQ(mean.average, 0.99);
  EXPECT_EQ(mean.keep, "last");
  EXPECT_EQ(mean.effective["checkpoint"]["keep"], parse_json(R"({"average": 0.99})"));
  const Stage both = of("{best: validation_loss, average: 0.99}");
  EXPECT_EQ(both.keep, "best");
  EXPECT_EQ(of(both.effective["checkpoint"]["keep"].dump()).effective, both.effective);
  EXPECT_EQ(of("{best: validation_loss}", "stages.base.keep.average=0.99").effective, both.effective);
  EXPECT_EQ(of("{average: 0.99}", "stages.base.keep=last").average, 0);
  EXPECT_EQ(of("best", "stages.base.keep.average=0.9").keep, "last") << "a map replaces the word";
}

}  // namespace
}  // namespace rgm::fake
