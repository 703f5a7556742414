// report_compared_test.cpp - stages side by side: their results, methods with several seeds, and runs with each other.
#include <fmt/format.h>

#include <map>

#include "base/error.hpp"
#include "base/json.hpp"
#include "train/report_folder.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::Not;

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

}  // namespace
}  // namespace rgm
