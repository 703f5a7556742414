// rank_command.hpp - `regimen rank` at work in a folder with samples, and a browser that opens its page.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "cli/browser.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {

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

}  // namespace rgm
