// tiny_run.hpp - a folder with a tiny pipeline and its text, and the program typed in there.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.hpp"
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

  Said regimen(const std::string& arguments) const { return rgm::regimen(arguments, "cd " + folder_.string() + " &&"); }
  void write(const std::string& name, const std::string& text) const { write_file(folder_ / name, text); }
  nlohmann::json json(const std::string& name) const { return nlohmann::json::parse(read_file(folder_ / name)); }
  std::string hash_of(const std::string& name) const { return sha256(read_file(folder_ / name)); }

  fs::path folder_;
};

}  // namespace rgm
