// tiny_run.hpp - a folder with a tiny pipeline and its text, and the program typed in there.
#pragma once
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/file.hpp"
#include "base/json.hpp"
#include "base/sha256.hpp"
#include "cli/program.hpp"

namespace rgm {

// A tiny pipeline: trains in a moment on the reference backend.
inline std::string tiny(int steps, const std::string& more = "") {
  return "regimen: 1\nname: tiny\nseed: 3\nbackend: reference\nstages:\n  - name: base\n    strategy: pretrain\n"
         "    model: {family: gpt2, layers: 2, heads: 2, channels: 32, context: 16}\n    tokenizer: characters\n"
         "    data: {train: {text: text.txt}, validation: {split: 0.1}}\n    batch: 4\n    steps: " +
         std::to_string(steps) + "\n" + more;
}

class TinyRun : public testing::Test {
 protected:
  TinyRun() {
    std::string pattern = (fs::temp_directory_path() / "regimen-cli-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    std::string text;
    for (int i = 0; i < 60; ++i) text += "the cat sat on the mat and the dog ran " + std::to_string(i) + " times\n";
    write_file(folder_ / "text.txt", text);
  }
  ~TinyRun() override { fs::remove_all(folder_); }

  Said regimen(const std::string& arguments) const { return rgm::regimen(arguments, in_folder()); }
  std::string in_folder() const { return "cd " + quoted(folder_) + " && "; }  // before what a shell is to do there
  // `regimen run p.yaml --out OUT` as a process of its own, what it says in err.log.
  pid_t start(const std::string& out) const {
    const pid_t child = ::fork();
    if (child == 0) {
      const int log = ::open((folder_ / "err.log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      ::dup2(log, STDERR_FILENO);
      if (::chdir(folder_.c_str()) != 0) ::_exit(99);
      ::execl(REGIMEN_PROGRAM, "regimen", "run", "p.yaml", "--out", out.c_str(), nullptr);
      ::_exit(99);
    }
    return child;
  }
  // Runs p.yaml into killed/, kills that once `file` is there, and runs it to its end.
  void kill_and_resume(const std::string& file) const {
    const pid_t child = start("killed");
    int status = 0;
    while (!fs::exists(folder_ / "killed" / file) && ::waitpid(child, &status, WNOHANG) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended before it was killed";
    const Said said = regimen("run p.yaml --out killed");
    ASSERT_EQ(said.status, 0) << said.err;
    EXPECT_THAT(said.err, testing::HasSubstr("resumed at step"));
  }
  void write(const std::string& name, const std::string& text) const { write_file(folder_ / name, text); }
  nlohmann::json json(const std::string& name) const { return parse_json(read_file(folder_ / name)); }
  // Of a file with one on every line.
  std::vector<nlohmann::json> json_lines(const std::string& name) const {
    std::vector<nlohmann::json> out;
    std::ifstream file(folder_ / name);
    for (std::string line; std::getline(file, line);) out.push_back(parse_json(line));
    return out;
  }
  std::string hash_of(const std::string& name) const { return sha256(read_file(folder_ / name)); }

  fs::path folder_;
};

}  // namespace rgm
