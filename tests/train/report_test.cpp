// report_test.cpp - report.html: whole markup whatever the run holds, nothing of a model's text as markup, and curves
// that keep their shape when they are thinned.
#include "train/report.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "train/report_axis.hpp"
#include "train/report_chart.hpp"
#include "train/report_text.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Empty where every tag is closed in its order and every attribute is quoted; otherwise what is wrong.
std::string markup_mistake(std::string_view html) {
  std::vector<std::string> open;
  for (size_t at = html.find('<'); at != html.npos; at = html.find('<', at)) {
    const size_t end = html.find('>', at);
    if (end == html.npos) return "a tag does not end";
    const std::string_view tag = html.substr(at + 1, end - at - 1);
    at = end;
    if (tag.starts_with("!") || tag.ends_with("/")) continue;
    const std::string name(tag.substr(tag.starts_with("/"), tag.find_first_of(" \n") - tag.starts_with("/")));
    if (name == "meta") continue;
    size_t values = 0;
    for (size_t i = tag.find("=\""); i != tag.npos; i = tag.find("=\"", i + 2)) ++values;
    if (static_cast<size_t>(std::count(tag.begin(), tag.end(), '"')) != 2 * values)
      return "quotes in <" + std::string(tag) + ">";
    if (!tag.starts_with("/")) {
      open.push_back(name);
      continue;
    }
    if (open.empty() || open.back() != name)
      return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back());
    open.pop_back();
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

class Report : public testing::Test {
 protected:
  Report() : folder_(fs::temp_directory_path() / ("regimen-report-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Report() override { fs::remove_all(folder_); }

  void put(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    write_file(folder_ / name, text);
  }
  std::string html() {
    write_report(folder_);
    std::string out = read_file(folder_ / "report.html");
    EXPECT_EQ(markup_mistake(out), "");
    return out;
  }
  fs::path folder_;
};

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

// A column for what at least one stage says; of 400 answers half are right, give or take 2.5 points.
TEST_F(Report, ComparesStagesLineByLine) {
  put("run.json", R"({"stages": ["asked", "tuned"]})");
  put("asked/stage.json", R"({"status": "done", "strategy": "prompting", "result": {"accuracy": 0.5, "rows": 400,
      "trained_parameters": 0, "base_unchanged": true}})");
  put("tuned/stage.json", R"({"status": "done", "result": {"accuracy": 0.75, "trained_parameters": 1024,
      "base_unchanged": false}})");
  const std::string page = html();
  EXPECT_THAT(page, HasSubstr("<td class=\"num\">50.0 % ± 2.5</td><td class=\"num\">0</td><td>unchanged</td>"));
  EXPECT_THAT(page, HasSubstr("<td class=\"num\">75.0 %</td><td class=\"num\">1,024</td><td>changed</td>"));
  EXPECT_THAT(page, Not(HasSubstr("validation loss</th>")));
  EXPECT_THAT(page, HasSubstr("<b>tuned</b>: <b>75"));
}

// 0.7, 0.8 and 0.9 have the mean 0.8 and the standard error 0.1 / sqrt(3); the other method is 0.05 behind each time.
TEST_F(Report, StagesCalledAlikeAreOneMethodWithSeeds) {
  const auto stage = [&](const std::string& name, double accuracy, int trained) {
    put(name + "/stage.json",
        nlohmann::json{{"status", "done"},
                       {"data", {{"validation", {{"units", 400}}}}},
                       {"result", {{"accuracy", accuracy}, {"trained_parameters", trained}, {"base_unchanged", true}}}}
            .dump());
  };
  put("run.json", R"({"stages": ["lora-1", "lora-2", "lora-3", "ia3-1", "ia3-2", "ia3-3", "asked"]})");
  for (int i = 1; i <= 3; ++i) {
    stage("lora-" + std::to_string(i), 0.6 + 0.1 * i, 1000);
    stage("ia3-" + std::to_string(i), 0.55 + 0.1 * i, 100);
  }
  stage("asked", 0.5, 0);
  const std::string page = html();
  EXPECT_THAT(page, HasSubstr("<td>lora</td><td class=\"num\">80.0 ± 5.8</td><td class=\"num\">0.0 ± 0.0</td>"
                              "<td class=\"num\">3</td><td class=\"num\">1,000</td>"));
  EXPECT_THAT(page, HasSubstr("<td>ia3</td><td class=\"num\">75.0 ± 5.8</td><td class=\"num\">5.0 ± 0.0</td>"));
  // One seed: the standard error of a half among 400 rows.
  EXPECT_THAT(page, HasSubstr("<td>asked</td><td class=\"num\">50.0 ± 2.5</td><td class=\"num\"></td>"));
  EXPECT_THAT(page, HasSubstr("<title>lora: 80</title>"));
  EXPECT_THAT(page, HasSubstr("Accuracy by trained parameters"));
}

TEST_F(Report, RunsWithSeveralSeedsAreCompared) {
  for (const char* run : {"one", "two"}) {
    put(std::string(run) + "/run.json", R"({"pipeline": "ways", "stages": ["a", "b", "c"], "seed": 7})");
    for (const char* name : {"a", "b", "c"})
      put(std::string(run) + "/" + name + "/stage.json",
          fmt::format(R"({{"status": "done", "result": {{"accuracy": {}}}}})", *run == 'o' ? 0.6 : 0.8));
  }
  const std::string table = write_comparison({folder_ / "one", folder_ / "two"}, folder_ / "both.html");
  EXPECT_THAT(table, testing::StartsWith("method  accuracy, %  points behind the best  seeds"));
  EXPECT_THAT(table, HasSubstr("\na       70.0 ± 10.0  0.0 ± 0.0               2"));
  EXPECT_EQ(markup_mistake(read_file(folder_ / "both.html")), "");
  const std::string of_one = write_comparison({folder_ / "one"}, folder_ / "one.html");
  EXPECT_THAT(of_one, testing::StartsWith("method  accuracy, %  seeds")) << "one seed has no mean distance";
  put("two/c/stage.json", "{}");
  put("one/c/stage.json", "{}");
  EXPECT_THROW(write_comparison({folder_ / "one", folder_ / "two"}, folder_ / "both.html"), Error);
  EXPECT_THROW(write_comparison({folder_ / "none"}, folder_ / "both.html"), Error);
}

// lora is 10 points behind in each of the two runs that have both; a third one has lora alone.
TEST_F(Report, SeedsArePairedWhereBothMethodsHaveThem) {
  const auto run = [&](const std::string& name, const std::map<std::string, double>& accuracies) {
    nlohmann::json record = {{"pipeline", "ways"}, {"stages", {"full", "lora", "ia3"}}};
    put(name + "/run.json", record.dump());
    for (const auto& [stage, accuracy] : accuracies)
      put(name + "/" + stage + "/stage.json",
          nlohmann::json{{"status", "done"}, {"result", {{"accuracy", accuracy}}}}.dump());
  };
  run("one", {{"full", 0.9}, {"lora", 0.8}});
  run("two", {{"full", 0.7}, {"lora", 0.6}, {"ia3", 0.5}});
  run("three", {{"lora", 0.88}, {"ia3", 0.78}});
  const std::vector<fs::path> folders = {folder_ / "one", folder_ / "two", folder_ / "three"};
  const std::string table = write_comparison(folders, folder_ / "all.html");
  EXPECT_THAT(table, testing::ContainsRegex("lora +76.0 ± 8.3 +10.0 ± 0.0 +3"));
  EXPECT_THAT(table, testing::ContainsRegex("ia3 +64.0 ± 14.0 +2")) << "one seed in common has no mean";
  EXPECT_THAT(
      [&] {
        write_comparison({folder_ / "one", folder_ / "two", folder_ / "one" / "."}, folder_ / "all.html");
      },
      testing::ThrowsMessage<Error>(HasSubstr("one/.: is given twice, and its seeds would count twice")));
}

TEST_F(Report, RewardsAreDrawnByTheRankingsThatTheyLearnedFrom) {
  put("run.json", R"({"stages": ["few", "many"]})");
  for (const auto& [name, used, accuracy] : {std::tuple("few", 106, 0.59), std::tuple("many", 425, 0.64)})
    put(std::string(name) + "/stage.json",
        nlohmann::json{
            {"data", {{"train", {{"units", used}}}}},
            {"result",
             {{"report_card",
               {{"accuracy", accuracy}, {"interval_95", {accuracy - 0.05, accuracy + 0.05}}, {"pairs", 354}}}}}}
            .dump());
  const std::string page = html();
  EXPECT_THAT(page, HasSubstr("<title>few: 106: 59</title>"));
  EXPECT_THAT(page, HasSubstr("<title>many: 425: 64</title>"));
  EXPECT_THAT(page, HasSubstr("class=\"interval\""));
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

TEST(ReportText, NumbersReadLikeAPersonWroteThem) {
  using namespace report;
  EXPECT_EQ(number(1.87361), "1.874");
  EXPECT_EQ(number(3e-5), "3e-5");
  EXPECT_EQ(number(12345.6), "12,346");
  EXPECT_EQ(number(-0.5), "\u22120.5");
  EXPECT_EQ(number(NAN), "not a number");
  EXPECT_EQ(loss(1.77), "1.770");
  EXPECT_EQ(percent(0.25), "25\u202F%");
  EXPECT_EQ(escape("a\xFF<"), "a\xEF\xBF\xBD&lt;");
  EXPECT_EQ(link_target("a b/c:d\"e"), "./a%20b/c%3Ad%22e");
}

TEST(ReportAxis, TicksAreRoundNumbersInsideTheAxis) {
  const report::Axis axis = report::make_axis(1.5, 4.2, 6, 20);
  EXPECT_THAT(axis.ticks, ElementsAre(1.5, 2, 2.5, 3, 3.5, 4));
  EXPECT_EQ(axis.label(2), "2.0");
  EXPECT_DOUBLE_EQ(axis.place(axis.low), 0);
  EXPECT_DOUBLE_EQ(axis.place(axis.high), 1);
}

TEST(ReportAxis, WhatSpansDecadesIsLogarithmic) {
  const report::Axis axis = report::make_axis(0.01, 100, 4, 20);
  EXPECT_TRUE(axis.logarithmic);
  EXPECT_NEAR(axis.place(1), 0.5, 1e-9);
  EXPECT_THAT(axis.ticks, testing::Contains(1));
}

TEST(ReportAxis, AConstantHasAnAxisToo) {
  const report::Axis axis = report::make_axis(3, 3, 4, 20);
  EXPECT_LT(axis.low, 3);
  EXPECT_GT(axis.high, 3);
  EXPECT_FALSE(axis.ticks.empty());
  EXPECT_FALSE(report::make_axis(0, 0, 4, 20).ticks.empty());
}

// Beyond 2^53 a double does not grow by adding 1, which once made ticks without end.
TEST(ReportAxis, StepsBeyondWhatADoubleCountsHaveFewTicks) {
  for (const double step : {0x1p53, 1e65, 1e300}) {
    const report::Axis axis = report::step_axis(step, step, 5);
    EXPECT_GT(axis.high, axis.low) << step;
    EXPECT_LE(axis.ticks.size(), 21U) << step;
  }
}

TEST(ReportChart, ThinningKeepsSpikesAndOrder) {
  report::Line line;
  for (int i = 0; i < 10000; ++i) line.add(i, i == 5000 ? 100 : i == 7777 ? -100 : 0);
  const report::Line thinned = report::thin(line, 100);
  EXPECT_LE(thinned.x.size(), 200u);
  EXPECT_THAT(thinned.y, testing::Contains(100));
  EXPECT_THAT(thinned.y, testing::Contains(-100));
  EXPECT_TRUE(std::is_sorted(thinned.x.begin(), thinned.x.end()));
}

TEST(ReportChart, SmoothingKeepsALineALineAndSkipsGaps) {
  EXPECT_THAT(report::smooth({1, 2, 3, 4, 5}, 2), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(report::smooth({1, NAN, 3}, 1), ElementsAre(1, testing::IsNan(), 3));
}

// One step alone is a dot, in the colour of the line that the legend shows.
TEST(ReportChart, ACurveOfOneStepIsADotOfTraining) {
  const std::string html = report::draw({.title = "loss", .line = {{10}, {2.5}}, .points = {}, .prominent = true});
  EXPECT_THAT(html, HasSubstr("class=\"dot trained\""));
  EXPECT_THAT(html, Not(HasSubstr("class=\"dot\"")));
}

TEST(ReportChart, NothingToDrawIsNothing) {
  EXPECT_EQ(report::draw(report::Chart{}), "");
  EXPECT_EQ(report::draw({.title = "loss", .line = {{1, 2}, {NAN, NAN}}, .points = {}}), "");
}

}  // namespace
}  // namespace rgm
