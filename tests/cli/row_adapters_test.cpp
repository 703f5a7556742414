// row_adapters_test.cpp - rows of one file that name their adapters.
#include <gmock/gmock.h>

#include <cmath>
#include <sstream>

#include "cli/adapter_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

// Two prompts and a LoRA on one base: a file whose rows name them is answered and scored as each of them alone.
TEST_F(AdapterTest, RowsNameTheirAdapters) {
  const auto tuned = [](const std::string& name, const std::string& adapter, const std::string& column) {
    return "  - name: " + name + "\n    strategy: finetune\n    batch: 8\n    steps: 40\n    model: {from: base}\n" +
           "    optimizer: {adamw: {learning_rate: 3e-2}}\n    adapter: " + adapter +
           "\n    data: {train: {tsv: two.tsv, columns: {text: " + column + "}}}\n";
  };
  std::string two;
  for (int i = 0; i < 20; ++i) two += "the cat sat\tthe dog ran\n";
  write("two.tsv", two);
  write("p.yaml",
        tiny(20, tuned("cats", "{soft_prompt: {length: 2}}", "0") + tuned("dogs", "{soft_prompt: {length: 2}}", "1") +
                     tuned("low", "{lora: {rank: 2}}", "1")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  write("prompts.jsonl",
        "{\"prompt\": \"the \", \"adapter\": \"cats\"}\n{\"prompt\": \"the \", \"adapter\": \"dogs\"}\n"
        "{\"prompt\": \"the d\", \"adapter\": \"low\"}\n{\"prompt\": \"the \"}\n");
  const std::string model = "--model runs/tiny/base ", all =
                                                           "--adapter cats=runs/tiny/cats --adapter "
                                                           "dogs=runs/tiny/dogs --adapter low=runs/tiny/low ";
  const Said together = regimen("generate --temperature 0 --max-tokens 7 --prompts prompts.jsonl " + model + all);
  ASSERT_EQ(together.status, 0) << together.err;
  std::istringstream lines(together.out);
  const auto next = [&] {
    std::string line;
    std::getline(lines, line);
    return parse_json(line);
  };
  for (const char* name : {"cats", "dogs", "low", ""}) {
    const auto row = next();
    EXPECT_EQ(row.value("adapter", ""), name);
    const std::string prompt = row["prompt"], adapter = *name ? std::string(" --adapter runs/tiny/") + name : "";
    const Said alone = regimen("generate --temperature 0 --max-tokens 7 --prompt '" + prompt + "' " + model + adapter);
    EXPECT_EQ(prompt + row["text"].get<std::string>() + "\n", alone.out) << name;
  }
  write("prompts.jsonl", "{\"id\": 3, \"prompt\": \"the \", \"tags\": [\"a\"]}\n");
  const Said kept = regimen("generate --temperature 0 --max-tokens 7 --prompts prompts.jsonl " + model);
  EXPECT_THAT(kept.out, testing::StartsWith("{\"id\":3,\"prompt\":\"the \",\"tags\":[\"a\"],\"text\":\"")) << kept.err;
  write("rows.jsonl",
        "{\"text\": \"the cat sat\", \"adapter\": \"cats\"}\n{\"text\": \"the dog ran\", \"adapter\": \"dogs\"}\n"
        "{\"text\": \"the dog ran\", \"adapter\": \"cats\"}\n{\"text\": \"the cat sat\"}\n");
  const Said scored = regimen("evaluate --json --data rows.jsonl " + model + all);
  ASSERT_EQ(scored.status, 0) << scored.err;
  const auto shares = parse_json(scored.out)["adapters"];
  const Said shown = regimen("evaluate --data rows.jsonl " + model + all);
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("  cats                  loss "));
  EXPECT_THAT(shown.out, HasSubstr("  no adapter            loss "));
  EXPECT_EQ(shares["cats"]["tokens"], 22);  // behind a prompt the first token counts
  EXPECT_EQ(shares[""]["tokens"], 10);
  for (const char* name : {"cats", "dogs", ""}) {
    const std::string mine = *name ? std::string(" --adapter runs/tiny/") + name : "";
    write("own.jsonl", std::string(*name == 'c' ? "{\"text\": \"the dog ran\"}\n" : "") +
                           (*name == 'd' ? "{\"text\": \"the dog ran\"}\n" : "{\"text\": \"the cat sat\"}\n"));
    const Said alone = regimen("evaluate --json --data own.jsonl " + model + mine);
    EXPECT_NEAR(parse_json(alone.out)["loss"], shares[name]["loss"], 1e-4) << name;
  }
  EXPECT_GT(std::abs(shares["cats"]["loss"].get<double>() - shares[""]["loss"].get<double>()), 0.1);
  // It was trained on that too: every text began with "t".
  write("own.jsonl", "{\"text\": \"the cat sat\"}\n");
  const Said each = regimen("evaluate --json --per-token --data own.jsonl " + model + "--adapter runs/tiny/cats");
  const auto first = parse_json(each.out.substr(0, each.out.find('\n')));
  EXPECT_EQ(first["position"], 0);
  EXPECT_EQ(first["likeliest"], true) << each.out;
  EXPECT_GT(first["logprob"], std::log(0.2)) << "a guess among 26 characters has log(0.04)";
  write("rows.jsonl", "{\"text\": \"the cat sat\", \"adapter\": \"cat\"}\n");
  const Said near = regimen("evaluate --json --data rows.jsonl " + model + all);
  EXPECT_EQ(near.status, 2);
  EXPECT_THAT(near.err, HasSubstr("rows.jsonl:1"));
  EXPECT_THAT(near.err, HasSubstr("did you mean \"cats\"?"));
  EXPECT_EQ(regimen("generate --prompt the " + model + all).status, 2) << "whose prompt is it?";
  EXPECT_EQ(regimen("evaluate --data rows.jsonl --adapter runs/tiny/low " + model + all).status, 2);
}

}  // namespace
}  // namespace rgm
