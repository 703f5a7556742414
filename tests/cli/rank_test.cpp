// rank_test.cpp - `regimen rank` in a terminal, over HTTP, and in a browser: with a real drag, ties, by keys alone,
// through a reload and a kill.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <csignal>
#include <regex>
#include <set>

#include "base/json.hpp"
#include "cli/browser.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class RankCommand : public TinyRun {
 protected:
  RankCommand() {
    std::string samples;
    for (const char* prompt : {"first", "second", "third"})
      samples +=
          nlohmann::json{{"prompt", prompt},
                         {"responses", {"<img src=x onerror=\"document.title='hacked'\">", "two", "three", "four"}}}
              .dump() +
          "\n";
    write("samples.jsonl", samples);
  }
  ~RankCommand() override { stop(SIGKILL); }

  // Starts the server and answers its address.
  std::string serve(const std::vector<std::string>& more = {}) {
    fs::remove(folder_ / "rank.log");  // the address of an earlier one is in it
    server_ = ::fork();
    if (server_ == 0) {
      const int log = ::open((folder_ / "rank.log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      ::dup2(log, STDERR_FILENO);
      if (::chdir(folder_.c_str()) != 0) ::_exit(99);
      std::vector<std::string> words = {"regimen", "rank", "samples.jsonl", "--out", "out.jsonl"};
      words.insert(words.end(), more.begin(), more.end());
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      ::execv(REGIMEN_PROGRAM, arguments.data());
      ::_exit(99);
    }
    std::smatch found;
    for (std::string said; !std::regex_search(said, found, std::regex("http://127[^\\s]+"));) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (fs::exists(folder_ / "rank.log")) said = read_file(folder_ / "rank.log");
      if (std::regex_search(said, found, std::regex("http://127[^\\s]+"))) return found[0];
    }
    return "";
  }
  int stop(int signal) {
    if (server_ <= 0) return -1;
    ::kill(server_, signal);
    int status = 0;
    ::waitpid(server_, &status, 0);
    server_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  std::vector<nlohmann::json> rankings() const { return json_lines("out.jsonl"); }
  pid_t server_ = -1;
};

TEST_F(RankCommand, InATerminalAnOrderIsALine) {
  const Said said =
      rgm::regimen("rank samples.jsonl --out out.jsonl --terminal --rater Ada",
                   in_folder() + "printf 'C > B = D > A\\nA > B\\nn a note\\nA=B=C=D\\nu\\ns\\nD>C>B>A\\n' |");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("C is left out")) << "of A > B";
  const auto rows = rankings();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["ranks"], nlohmann::json({3, 2, 1, 2}));
  EXPECT_EQ(rows[0]["rater"], "Ada");
  EXPECT_EQ(rows[1]["prompt"], "third") << "the second was undone and then skipped";
}

TEST_F(RankCommand, WhatIsWrongIsTold) {
  EXPECT_EQ(regimen("rank samples.jsonl").status, 2);
  EXPECT_THAT(regimen("rank samples.jsonl --out o.jsonl --terminal").err, HasSubstr("--rater NAME"));
  EXPECT_THAT(regimen("rank missing.jsonl --out o.jsonl").err, HasSubstr("missing.jsonl"));
  write("one.jsonl", "{\"prompt\": \"p\", \"responses\": [\"a\"]}\n");
  const Said said = regimen("rank one.jsonl --out o.jsonl");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("one.jsonl:1: its prompt has only one answer"));
  EXPECT_FALSE(fs::exists(folder_ / "o.jsonl.sqlite"));
  EXPECT_THAT(regimen("rank samples.jsonl --out o.jsonl --rater ' '").err, HasSubstr("name is blank"));
}

TEST_F(RankCommand, AFileThatCannotBeWrittenIsToldBeforeAnybodyRanks) {
  fs::create_directories(folder_ / "y");
  const Said none = regimen("rank samples.jsonl --out nodir/x.jsonl");
  EXPECT_EQ(none.status, 2);
  EXPECT_EQ(none.err, "rank: there is no folder nodir; make it, or correct --out nodir/x.jsonl\n");
  for (const char* out : {"y", "y/", "z/"}) {
    const Said said = regimen(std::string("rank samples.jsonl --out ") + out);
    EXPECT_EQ(said.status, 2) << out;
    EXPECT_THAT(said.err, HasSubstr(std::string(1, out[0]) + "/rankings.jsonl")) << out;
  }
}

TEST_F(RankCommand, CtrlCEndsItAndNothingIsLost) {
  serve({"--rater", "Ada"});
  EXPECT_EQ(stop(SIGINT), 0);
  EXPECT_THAT(read_file(folder_ / "rank.log"), HasSubstr("the same command continues"));
}

class RankBrowser : public RankCommand {
 protected:
  void SetUp() override {
    if (!Browser::is_there()) GTEST_SKIP() << "there is no /usr/bin/chromium";
    browser_ = std::make_unique<Browser>();
  }
  nlohmann::json order() {
    return browser_->evaluate("[...document.querySelectorAll('li .letter')].map(e => e.textContent).join('')");
  }
  nlohmann::json ranks() {
    return browser_->evaluate("[...document.querySelectorAll('li .rank')].map(e => e.textContent).join('')");
  }
  bool is_at(const std::string& prompt) {
    return browser_->wait_for("document.querySelector('#prompt')?.textContent === '" + prompt +
                              "' && !document.querySelector('#work').hidden");
  }
  static std::string card(int i, const std::string& part = "") {
    return "li:nth-child(" + std::to_string(i) + ")" + part;
  }
  std::unique_ptr<Browser> browser_;
};

TEST_F(RankBrowser, AnswersAreDraggedTiedSavedAndThereAfterAReloadAndAKill) {
  browser_->go(serve({"--rater", "Ada"}));
  ASSERT_TRUE(is_at("first"));
  EXPECT_EQ(order(), "ABCD");
  EXPECT_EQ(browser_->evaluate("document.querySelectorAll('li img').length"), 0) << "an answer is text";
  EXPECT_THAT(browser_->evaluate("document.querySelector('li pre').textContent").get<std::string>(),
              HasSubstr("<img src=x"));
  browser_->drag(card(3, " .grip"), card(1), 0.05);
  ASSERT_TRUE(browser_->wait_for("document.querySelector('li .letter').textContent === 'C'"));
  EXPECT_EQ(order(), "CABD");
  browser_->drag(card(4, " .grip"), card(3), 0.5);  // onto: D ties with B
  ASSERT_TRUE(browser_->wait_for("document.querySelectorAll('li.tied').length === 1"));
  EXPECT_EQ(order(), "CABD");
  EXPECT_EQ(ranks(), "1233");
  ASSERT_EQ(browser_->evaluate("line.then(() => true)"), true);
  browser_->call("Page.reload");
  ASSERT_TRUE(is_at("first"));
  EXPECT_EQ(ranks(), "1233") << "the draft came back";
  EXPECT_TRUE(rankings().empty()) << "a draft is no ranking";
  browser_->evaluate("document.querySelector('#save').click()");
  ASSERT_TRUE(is_at("second"));
  ASSERT_EQ(rankings().size(), 1U);
  EXPECT_EQ(rankings()[0]["ranks"], nlohmann::json({2, 3, 1, 3}));
  EXPECT_EQ(browser_->evaluate("document.title"), "2 of 3 · Ranking") << "nothing that a model wrote has run";

  EXPECT_EQ(stop(SIGKILL), 128 + SIGKILL);
  browser_->go(serve({"--rater", "Ada"}));
  ASSERT_TRUE(is_at("second")) << "the next one is where it was";
  EXPECT_THAT(browser_->evaluate("document.querySelector('#count').textContent").get<std::string>(),
              HasSubstr("1 of 3"));
}

TEST_F(RankBrowser, KeysAloneAreEnough) {
  browser_->go(serve());
  ASSERT_TRUE(browser_->wait_for("document.querySelector('#ask-name')?.open"));
  browser_->type("Bo");
  browser_->key("Enter", "\r");
  ASSERT_TRUE(is_at("first"));
  browser_->key("ArrowDown");
  browser_->key("ArrowUp", "", Browser::shift);  // B before A
  ASSERT_TRUE(browser_->wait_for("document.querySelector('li .letter').textContent === 'B'"));
  browser_->key("ArrowDown");
  browser_->key("ArrowDown");
  browser_->key("=", "=");  // C ties with A
  ASSERT_TRUE(browser_->wait_for("document.querySelectorAll('li.tied').length === 1"));
  EXPECT_EQ(order(), "BACD");
  EXPECT_EQ(ranks(), "1223");
  browser_->key("n", "n");
  browser_->type("close");
  browser_->key("Escape");
  browser_->key("Enter", "\r");
  ASSERT_TRUE(is_at("second"));
  browser_->key("s", "s");
  ASSERT_TRUE(is_at("third"));
  browser_->key("u", "u");
  ASSERT_TRUE(is_at("second")) << "the skip was taken back";
  browser_->key("Enter", "\r");
  ASSERT_TRUE(is_at("third"));
  browser_->key("Enter", "\r");
  ASSERT_TRUE(browser_->wait_for("!document.querySelector('#done').hidden"));
  const auto rows = rankings();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0]["ranks"], nlohmann::json({2, 1, 2, 3}));
  EXPECT_EQ(rows[0]["note"], "close");
  EXPECT_EQ(rows[0]["rater"], "Bo");
  EXPECT_EQ(rows[1]["ranks"], nlohmann::json({1, 2, 3, 4}));
}

TEST_F(RankBrowser, OnlyWhatIsSeenIsJudged) {
  browser_->go(serve({"--rater", "Ada"}));
  ASSERT_TRUE(is_at("first"));
  browser_->hold("Enter", "\r", 10);
  ASSERT_TRUE(is_at("second"));
  ASSERT_EQ(browser_->evaluate("line.then(() => true)"), true);
  EXPECT_EQ(rankings().size(), 1U);
  // Twice before the first is answered, and a note that is written in between.
  browser_->evaluate("save(); save(); tie(1); move(0, 1); join(0, 2); at('note').value = 'of the third'");
  ASSERT_TRUE(is_at("third"));
  ASSERT_EQ(browser_->evaluate("line.then(() => true)"), true);
  ASSERT_EQ(rankings().size(), 2U);
  EXPECT_EQ(rankings()[1]["note"], "");
  EXPECT_EQ(browser_->evaluate("ask('/item', {index: 1}).then((i) => i.order.join('') + i.ties.includes(true))"),
            "0123false")
      << "no draft came behind the judgement";
  const auto is_taken_when_held = [&](const std::string& key) {
    return browser_->evaluate("!document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '" + key +
                              "', repeat: true, bubbles: true, cancelable: true}))");
  };
  EXPECT_EQ(is_taken_when_held("s"), true);
  for (const char* key : {"PageDown", " ", "Tab"}) EXPECT_EQ(is_taken_when_held(key), false) << key;
  browser_->evaluate("save()");
  ASSERT_TRUE(browser_->wait_for("!document.querySelector('#done').hidden")) << "the next one may be judged";
}

TEST_F(RankBrowser, AClickBehindANoteCounts) {
  browser_->go(serve({"--rater", "Ada"}));
  ASSERT_TRUE(is_at("first"));
  browser_->key("n", "n");
  browser_->type("close");
  browser_->drag(card(2, " .relation"), card(2, " .relation"), 0.5);
  ASSERT_TRUE(browser_->wait_for("document.querySelectorAll('li.tied').length === 1"));
  browser_->evaluate("save()");
  ASSERT_TRUE(is_at("second"));
  EXPECT_EQ(rankings()[0]["ranks"], nlohmann::json({1, 1, 2, 3}));
  EXPECT_EQ(rankings()[0]["note"], "close");
}

TEST_F(RankBrowser, ANameIsAskedForUntilOneCanBeKept) {
  browser_->go(serve());
  ASSERT_TRUE(browser_->wait_for("document.querySelector('#ask-name')?.open"));
  browser_->key("Escape");
  browser_->key("Escape");
  ASSERT_TRUE(browser_->wait_for("document.querySelector('#ask-name').open"));
  browser_->evaluate("document.querySelector('#name').focus(); document.querySelector('#name').value = ''");
  const auto refused = [&](const std::string& name, const std::string& why) {
    browser_->type(name);
    browser_->key("Enter", "\r");
    EXPECT_TRUE(browser_->wait_for("document.querySelector('#name').validationMessage.includes('" + why + "')"));
    EXPECT_EQ(browser_->evaluate("document.querySelector('#ask-name').open"), true);
    browser_->evaluate("document.querySelector('#name').value = ''");
  };
  refused(" ", "name is blank");
  std::string name;
  for (int i = 0; i < 40; ++i) name += "\u6c34";
  refused(name, "120 bytes of at most 100");
  browser_->type("Bo");
  browser_->key("Enter", "\r");
  ASSERT_TRUE(is_at("first"));
  EXPECT_EQ(browser_->evaluate("say.timer > 0"), true) << "what was wrong goes once something has gone well";
}

TEST_F(RankBrowser, TheAddressIsGoodOnce) {
  const std::string address = serve({"--rater", "Ada"});
  browser_->go(address);
  ASSERT_TRUE(is_at("first"));
  browser_->call("Network.clearBrowserCookies");
  browser_->go(address);
  ASSERT_TRUE(browser_->wait_for("document.body?.textContent.includes('works only once')"));
}

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
