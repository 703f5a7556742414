// rlhf.hpp - a folder with the tiny pipeline, prompts and rated answers, and what stages of preferences leave there.
#pragma once
#include <string>
#include <vector>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {

class RlhfTest : public TinyRun {
 protected:
  RlhfTest() {
    std::string prompts, rated;
    for (int i = 0; i < 12; ++i) {
      prompts += std::string(R"({"prompt": ")") + (i % 2 ? "the cat" : "the dog") + " " + std::to_string(i) + "\"}\n";
      rated += std::string(i % 2 ? "the cat sat\t1\n" : "the dog ran\t0\n");
    }
    write("prompts.jsonl", prompts);
    write("rated.tsv", rated);
  }
  // The tiny base, and stages on it.
  static std::string with(const std::string& more) { return tiny(20, more); }
  // With more data beside the prompts of its last stage.
  static std::string beside_prompts(std::string text, const std::string& more) {
    const std::string prompts = "{prompts: {jsonl: prompts.jsonl}";
    return text.insert(text.rfind(prompts) + prompts.size(), ", " + more);
  }
  static std::string ppo(const std::string& options, const std::string& more) {
    return "  - name: ppo\n    strategy: {ppo: {max_tokens: 5" + options +
           "}}\n    model: {from: base}\n    data: {prompts: {jsonl: prompts.jsonl}}\n    batch: 6\n" + more;
  }
  std::vector<nlohmann::json> rows(const std::string& stage) const {
    return json_lines("runs/tiny/" + stage + "/rows.jsonl");
  }
  nlohmann::json result(const std::string& stage) const { return json("runs/tiny/" + stage + "/stage.json")["result"]; }
};

}  // namespace rgm
