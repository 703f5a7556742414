// contract.hpp - a folder with a few texts, the program run in it from a pipeline whose plug-ins know only the SDK, and
// what that leaves on disk.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "artefact/safetensors.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/sha256.hpp"

namespace rgm {

class Contract : public testing::Test {
 protected:
  using json = nlohmann::json;

  Contract()
      : folder_(fs::temp_directory_path() /
                (std::string("regimen-contract-") + testing::UnitTest::GetInstance()->current_test_info()->name() +
                 "-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
    std::string text;
    for (int i = 0; i < 60; ++i) text += i % 2 ? "the cat sat on the mat. " : "a dog ran to the cat. ";
    write("text.txt", text);
    text.clear();
    for (int i = 0; i < 90; ++i) text += i % 2 ? "zig zag zap. " : "zoo zip zzz. ";
    write("other.txt", text);  // what the base has never seen
    text.clear();
    for (int i = 0; i < 50; ++i) text += "the cat sat on the mat. ";
    write("half.txt", text);  // half of what it has seen
  }
  ~Contract() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& content) const { std::ofstream(folder_ / name) << content; }

  // Runs a pipeline of these stages; what the program said ends in `said_`.
  int run(const std::vector<std::string>& plugins, const std::string& stages, const std::string& out = "run",
          const std::string& more = "") {
    std::string yaml = "regimen: 1\nname: contract\nseed: 7\nbackend: reference\nplugins: [";
    for (const std::string& plugin : plugins)
      yaml += (yaml.ends_with('[') ? "" : ", ") + std::string(REGIMEN_BUILD_DIRECTORY "/lib/regimen-fixtures/") +
              plugin + ".so";
    yaml += "]\n";
    write("pipeline.yaml", yaml + "stages:\n" + stages);
    const auto word = [&](const std::string& name) { return "'" + (folder_ / name).string() + "' "; };  // of a shell
    const std::string command = std::string(REGIMEN_PROGRAM) + " run " + word("pipeline.yaml") + "--out " + word(out) +
                                more + " >" + word("said") + "2>&1";
    const int status = std::system(command.c_str());
    said_ = read_file(folder_ / "said");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  bool said(const std::string& text) const { return said_.find(text) != std::string::npos; }
  std::string hash_of(const std::string& file) const { return sha256(read_file(folder_ / file)); }
  // The numbers of one tensor in a file of the run.
  std::vector<float> numbers(const std::string& file, const std::string& name) const {
    const SafeTensors tensors(folder_ / "run" / file);
    const SavedTensor* found = tensors.find(name);
    if (!found) throw std::runtime_error(file + " has no " + name);
    const auto* begin = reinterpret_cast<const float*>(found->data.data());
    return {begin, begin + found->data.size() / sizeof(float)};
  }

  json result(const std::string& stage) const {
    return parse_json(read_file(folder_ / "run" / stage / "stage.json")).at("result");
  }
  // One number of every line of the stage's metrics that has it.
  std::vector<double> curve(const std::string& stage, const std::string& key) const {
    std::vector<double> out;
    std::ifstream file(folder_ / "run" / stage / "metrics.jsonl");
    for (std::string line; std::getline(file, line);)
      if (const json row = parse_json(line); row.contains(key)) out.push_back(row[key]);
    return out;
  }
  // The stage `base`: a tiny model of the text's bytes.
  static std::string base(int steps = 60) {
    return "  - {name: base, strategy: pretrain, model: {family: gpt2, layers: 2, heads: 2, channels: 16, context: "
           "32}, "
           "tokenizer: bytes, data: {train: {text: text.txt}}, optimizer: {adamw: {learning_rate: 5e-3}}, steps: " +
           std::to_string(steps) + ", batch: 4}\n";
  }
  static std::string adapted(const std::string& adapter, const std::string& rate = "2e-2",
                             const std::string& text = "other.txt") {
    return "  - {name: adapted, strategy: pretrain, model: {from: base}, adapter: {" + adapter +
           "}, data: {train: {text: " + text +
           "}, validation: {split: 0.3}}, evaluate: {every: 4}, optimizer: {adamw: "
           "{learning_rate: " +
           rate +
           "}}, steps: 80, batch: 4, "
           "log: {every: 1}}\n";
  }
  void expect_falls(const std::string& stage, const std::string& key, double by) const {
    // A quarter of the values each, as batches differ.
    const std::vector<double> values = curve(stage, key);
    ASSERT_GE(values.size(), 8U) << said_;
    const size_t n = values.size() / 4;
    const double first = std::accumulate(values.begin(), values.begin() + ptrdiff_t(n), 0.0) / double(n);
    const double last = std::accumulate(values.end() - ptrdiff_t(n), values.end(), 0.0) / double(n);
    EXPECT_LT(last, first - by) << stage << "." << key;
  }

  fs::path folder_;
  std::string said_;
};

}  // namespace rgm
