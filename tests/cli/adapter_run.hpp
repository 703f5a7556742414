// adapter_run.hpp - a folder with the tiny pipeline and rows of two kinds, which adapters learn to tell apart.
#pragma once
#include <string>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {

class AdapterTest : public TinyRun {
 protected:
  AdapterTest() {
    std::string rows;
    for (int i = 0; i < 40; ++i) rows += i % 2 ? "the dog ran\tdog\n" : "the cat sat\tcat\n";
    write("rows.tsv", rows);
  }
  static std::string stage(const std::string& name, const std::string& from, const std::string& more) {
    return "  - name: " + name +
           "\n    strategy: finetune\n    batch: 8\n    optimizer: {adamw: {learning_rate: 1e-2}}\n"
           "    model: {from: " +
           from +
           ", head: {classify: {labels: [cat, dog]}}}\n"
           "    data: {train: {tsv: rows.tsv, columns: {text: 0, label: 1}}, validation: {split: 0.25}}\n" +
           more;
  }
  nlohmann::json result(const std::string& name) const { return json("runs/tiny/" + name + "/stage.json")["result"]; }
  nlohmann::json evaluated(const std::string& arguments) const {
    const Said said = regimen("evaluate --json --data rows.tsv --column text=0 --column label=1 " + arguments);
    EXPECT_EQ(said.status, 0) << said.err;
    return said.status == 0 ? parse_json(said.out) : nlohmann::json();
  }
};

}  // namespace rgm
