// rank_pipeline_test.cpp - a pipeline with a stage in which a person ranks.
#include <gmock/gmock.h>

#include <csignal>
#include <regex>
#include <set>

#include "cli/rank_command.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

// A run that waits for a person, is interrupted, goes on, and learns from what was said. What they skip changes no
// columns of the rest: a stage that learns from the rows needs no `columns`.
TEST_F(RankBrowser, APipelineWaitsForAPerson) {
  write("prompts.jsonl", "{\"prompt\": \"the cat\"}\n{\"prompt\": \"the dog\"}\n{\"prompt\": \"the mat\"}\n");
  write("p.yaml",
        tiny(20) +
            "  - name: answers\n    strategy: {sample: {answers: 3, max_tokens: 5, temperature: 2}}\n    model: {from: "
            "base}\n"
            "    data: {prompts: {jsonl: prompts.jsonl}}\n"
            "  - name: ranks\n    strategy: {rank: {ask: web}}\n    model: {from: base}\n"
            "    data: {samples: {from: answers, columns: {completion: {prompt: prompt, answer: text}}}}\n"
            "    batch: 2\n"
            "  - name: judge\n    strategy: reward_modeling\n    reward: ranking\n    model: {from: base}\n"
            "    data: {train: {from: ranks}}\n    steps: 2\n");
  const auto waits = [&] {
    fs::remove(folder_ / "err.log");
    server_ = start("out");
    std::smatch found;
    std::string said;
    do {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      said = fs::exists(folder_ / "err.log") ? read_file(folder_ / "err.log") : "";
    } while (!std::regex_search(said, found, std::regex("http://127[^\\s]+")) &&
             ::waitpid(server_, nullptr, WNOHANG) == 0);
    return std::regex_search(said, found, std::regex("http://127[^\\s]+")) ? found[0].str() : said;
  };
  const auto begin = [&](const std::string& prompt) {
    EXPECT_TRUE(browser_->wait_for("document.querySelector('#ask-name')?.open"));
    browser_->evaluate("document.querySelector('#name').value = 'Ada'");
    browser_->key("Enter", "\r");
    EXPECT_TRUE(is_at(prompt));
  };
  browser_->go(waits());
  begin("the cat");
  browser_->key("ArrowDown");
  browser_->key("=", "=");
  ASSERT_TRUE(browser_->wait_for("document.querySelectorAll('li.tied').length === 1"));
  browser_->key("Enter", "\r");
  ASSERT_TRUE(is_at("the dog"));
  EXPECT_EQ(stop(SIGINT), 130);
  EXPECT_THAT(read_file(folder_ / "err.log"), HasSubstr("interrupted while people were ranking"));

  browser_->go(waits());
  begin("the dog");
  browser_->key("s", "s");
  ASSERT_TRUE(is_at("the mat"));
  browser_->key("Enter", "\r");
  int status = 0;
  ::waitpid(server_, &status, 0);
  server_ = -1;
  ASSERT_EQ(WEXITSTATUS(status), 0) << read_file(folder_ / "err.log");
  std::multiset<int> ranks;
  for (const auto& row : json_lines("out/ranks/rows.jsonl")) {
    EXPECT_EQ(row["rater"], "Ada");
    EXPECT_NE(row["prompt"], "the dog");
    EXPECT_THAT(row["completion"].get<std::string>(),
                testing::StartsWith(row["prompt"].get<std::string>() + row["text"].get<std::string>()));
    if (row["prompt"] == "the cat") ranks.insert(row["rank"].get<int>());
  }
  EXPECT_EQ(ranks, (std::multiset<int>{1, 1, 3}));
  EXPECT_EQ(json("out/judge/stage.json")["status"], "done");
}

}  // namespace
}  // namespace rgm
