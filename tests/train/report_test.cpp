// report_test.cpp - report.html: what it says of a run, and whole markup whatever the run holds, nothing of a model's
// text among it.
#include <fmt/format.h>

#include "base/json.hpp"
#include "train/report_folder.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(Report, SaysInOneSentenceWhatCameOut) {
  put("run.json", R"({"pipeline": "tiny", "stages": ["base"], "seed": 1337})");
  put("base/stage.json", R"({"name": "base", "strategy": "pretrain", "status": "done", "timings": {"train": 100},
      "data": {"train": {"token_columns": ["text"]}},
      "result": {"validation_loss": 1.87, "steps": 2000, "tokens": 1536000, "seconds": 110}})");
  const std::string page = html();
  EXPECT_THAT(page, HasSubstr("<b>2,000 steps</b> in <b>1 min 50 s</b>, at <b>15,360</b> tokens a second, to a "
                              "validation loss of <b>1.870</b>."));
  EXPECT_THAT(page, HasSubstr("perplexity 6.488"));
  EXPECT_THAT(page, HasSubstr("<span>seed 1337</span>"));
}

// Of a loss over pairs the exponential is no perplexity; and an accuracy is held out where it says so.
TEST_F(Report, WhatIsTrainedOnIsNotCalledHeldOut) {
  put("run.json", R"({"stages": ["pairs"]})");
  const auto pairs = [&](const char* result) {
    put("pairs/stage.json", std::string(R"({"status": "done", "data": {"train": {"token_columns": ["chosen",
        "rejected"]}}, "result": )") +
                                result + "}");
    put("pairs/metrics.jsonl", "{\"step\": 1, \"accuracy\": 1.0, \"reward\": 0.3}\n");
    return html();
  };
  const std::string trained = pairs(R"({"validation_loss": 0.7})");
  EXPECT_THAT(trained, HasSubstr("%</b> right in training"));
  EXPECT_THAT(trained, HasSubstr("on a batch in training"));
  EXPECT_THAT(trained, HasSubstr("of answers in training"));
  EXPECT_THAT(trained, Not(HasSubstr("perplexity")));
  const std::string held_out = pairs(R"({"validation_loss": 0.7, "validation_accuracy": 0, "reward": 0.5})");
  EXPECT_THAT(held_out, HasSubstr("%</b> right."));
  EXPECT_THAT(held_out, HasSubstr("on held-out data"));
  EXPECT_THAT(held_out, HasSubstr("of answers to held-out prompts"));
}

TEST_F(Report, AFailureSaysWhy) {
  put("run.json", R"({"stages": ["base"]})");
  put("base/stage.json", R"({"status": "failed", "failure": "the loss is <not> finite"})");
  EXPECT_THAT(html(), HasSubstr("failed: the loss is &lt;not&gt; finite."));
}

TEST_F(Report, DrawsTrainingAndValidation) {
  put("run.json", R"({"stages": ["base"]})");
  std::string lines;
  for (int step = 1; step <= 400; ++step)
    lines += fmt::format("{{\"step\": {}, \"loss\": {}, \"learning_rate\": 0.001{}}}\n", step, 2.0 + 2.0 / step,
                         step % 100 == 0 ? ", \"validation_loss\": 2.5" : "");
  put("base/metrics.jsonl", lines);
  const std::string page = html();
  EXPECT_THAT(page, HasSubstr("<path class=\"raw\""));
  EXPECT_THAT(page, HasSubstr("<title>step 400: 2.5</title>"));
  EXPECT_THAT(page, HasSubstr("validation <b>2.500</b>"));
  EXPECT_THAT(page, HasSubstr("learning rate"));
}

TEST_F(Report, EverythingInARunMayBeMissing) {
  EXPECT_THAT(html(), HasSubstr("Nothing has been written yet."));
  put("run.json", R"({"pipeline": "p", "stages": ["a", "b"], "plugins": [{}]})");
  EXPECT_THAT(html(), HasSubstr("No metrics were written."));
  put("a/stage.json", "{}");
  put("a/metrics.jsonl", "");
  put("b/stage.json", R"({"status": "interrupted", "samples": [{}], "timings": {}, "configuration": {"x": {}},
      "data": {"train": {}}, "model": {}, "result": {}, "hashes": {}})");
  put("b/metrics.jsonl", "{\"step\": 1, \"loss\": null}\n{\"step\": 2, \"lo");
  html();
}

TEST_F(Report, FilesThatAreNotJsonAreLeftOut) {
  put("run.json", R"({"pipeline": "p", "stages": ["a", 3, "../a", ""]})");
  put("a/stage.json", "[1, 2");
  EXPECT_THAT(html(), HasSubstr("<h2>a</h2>"));
}

TEST_F(Report, NothingAModelOrAFileSaysIsMarkup) {
  const std::string evil = "</pre><script>alert('1')</script>\"x=\"&amp;\x01";
  const nlohmann::json stage = {{"strategy", evil},
                                {"status", evil},
                                {"model", {{"family", evil}}},
                                {"configuration", {{evil, evil}}},
                                {"samples", {{{"step", 1}, {"prompt", evil}, {"text", evil + evil}}}},
                                {"hashes", {{evil, evil}}},
                                {"result", {{evil, evil}, {"list", {evil, {{evil, evil}}}}}},
                                {"data", {{evil, {{evil, evil}}}}},
                                {"timings", {{evil, 2}}}};
  const std::string name = "<i>\"a\"";
  put("run.json", nlohmann::json{{"pipeline", evil},
                                 {"device", evil},
                                 {"stages", {name}},
                                 {"started", evil},
                                 {"plugins", {{{"id", evil}, {"path", evil}, {"sha256", evil}}}}}
                      .dump());
  put(name + "/stage.json", stage.dump());
  put(name + "/metrics.jsonl", nlohmann::json{{"step", 1}, {evil, 2}}.dump() + "\n");
  const std::string page = html();
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("\x01")));
  EXPECT_THAT(page, HasSubstr("&lt;/pre&gt;&lt;script&gt;alert(&#39;1&#39;)"));
}

TEST_F(Report, HoldsNothingFromElsewhere) {
  put("run.json", R"({"pipeline": "p", "stages": []})");
  const std::string page = html();
  for (const char* word : {"http:", "https:", "src=", "<link", "@import", "url("})
    EXPECT_THAT(page, Not(HasSubstr(word)));
}

TEST_F(Report, ALongRunIsNoLargerThanAShortOne) {
  put("run.json", R"({"stages": ["base"]})");
  std::string lines;
  for (int step = 1; step <= 50000; ++step)
    lines += fmt::format("{{\"step\": {}, \"loss\": {}}}\n", step, 2 + std::sin(step * 0.7));
  put("base/metrics.jsonl", lines);
  EXPECT_LT(html().size(), 60000u);
}

}  // namespace
}  // namespace rgm
