// adapter_test.cpp - adapters as a user trains, evaluates, goes on with and merges them.
#include <gmock/gmock.h>

#include <cmath>
#include <set>
#include <sstream>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

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

TEST_F(AdapterTest, ItsHeadTravelsWithIt) {
  write("p.yaml", tiny(20, stage("tuned", "base", "    steps: 60\n    adapter: {lora: {rank: 4, alpha: 8}}\n")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result("tuned")["accuracy"], 1.0);
  EXPECT_EQ(result("tuned")["base_unchanged"], true);
  // 2 layers, query and value, A and B of 4 x 32 each; and a head of 2 x 32
  EXPECT_EQ(result("tuned")["trained_parameters"], 2 * 2 * 2 * 4 * 32 + 2 * 32);
  EXPECT_FALSE(fs::exists(folder_ / "runs/tiny/tuned/model")) << "the base is kept once";
  const std::string file = read_file(folder_ / "runs/tiny/tuned/adapter/adapter_model.safetensors");
  EXPECT_THAT(file, HasSubstr("base_model.model.score.weight"));
  EXPECT_EQ(evaluated("--model runs/tiny/tuned")["accuracy"], 1.0);
  EXPECT_EQ(evaluated("--model runs/tiny/base --adapter runs/tiny/tuned")["accuracy"], 1.0);
}

// IA3 scales what LoRA has added, or LoRA adds to what IA3 has scaled.
TEST_F(AdapterTest, SeveralActInTheOrderInWhichTheyWereTrained) {
  write("p.yaml",
        tiny(20,
             "  - name: both\n    strategy: finetune\n    model: {from: base}\n"
             "    data: {train: {text: text.txt}}\n    optimizer: {adamw: {learning_rate: 5e-2}}\n"
             "    adapter: [{lora: {rank: 4, sites: \"*.attention.value\"}}, {ia3: {sites: \"*.attention.value\"}}]\n"
             "    steps: 30\n    batch: 4\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto loss = [&](const std::string& model) {
    const Said evaluated = regimen("evaluate --json --data text.txt --model runs/tiny/" + model);
    EXPECT_EQ(evaluated.status, 0) << evaluated.err;
    return evaluated.status == 0 ? parse_json(evaluated.out)["loss"].get<double>() : 0;
  };
  const std::string lora = " --adapter runs/tiny/both/adapter/lora", ia3 = " --adapter runs/tiny/both/adapter/ia3";
  EXPECT_EQ(loss("both"), loss("base" + lora + ia3));
  EXPECT_GT(std::abs(loss("both") - loss("base" + ia3 + lora)), 1e-4);
}

TEST_F(AdapterTest, OneThatDoesNotChangeIsTold) {
  std::string still = stage("still", "base", "    steps: 3\n    adapter: {lora: {rank: 2}}\n    trainable: adapter\n");
  // What the rate and the clipped gradient make of each other is 0 in float32.
  const std::string adamw = "{adamw: {learning_rate: 1e-2}}";
  still.replace(still.find(adamw), adamw.size(), "{sgd: {learning_rate: 1e-30}}\n    clip: 1e-30");
  write("p.yaml", tiny(5, still));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("the adapter \"lora\" did not change at all"));
  EXPECT_EQ(result("still")["adapter_unchanged"], nlohmann::json({"lora"}));
}

TEST_F(AdapterTest, ALaterStageGoesOnWithIt) {
  write("p.yaml", tiny(20, stage("tuned", "base", "    steps: 60\n    adapter: {lora: {rank: 4, alpha: 8}}\n") +
                               "  - name: more\n    strategy: finetune\n    batch: 8\n    steps: 1\n"
                               "    optimizer: {adamw: {learning_rate: 1e-9}}\n    model: {from: tuned}\n"
                               "    data: {train: {tsv: rows.tsv, columns: {text: 0, label: 1}}, validation: {split: "
                               "0.25}}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_NEAR(result("more")["validation_loss"], result("tuned")["validation_loss"], 1e-4);
}

TEST_F(AdapterTest, MergedItIsAModelOfItsOwn) {
  write("p.yaml",
        tiny(20, stage("tuned", "base", "    steps: 30\n    adapter: {lora: {rank: 4, alpha: 8, dora: true}}\n")));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  // Of a merge that was killed, of one that is at work, and of another folder's.
  const std::string gone = "merged.tmp999999999", there = "merged.tmp" + std::to_string(::getpid()),
                    other = "merged2.tmp999999999";
  for (const std::string& folder : {gone, there, other}) {
    fs::create_directories(folder_ / folder);
    write(folder + "/model.safetensors", "half");
  }
  const Said said = regimen("merge --model runs/tiny/tuned --out merged");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_FALSE(fs::exists(folder_ / gone));
  EXPECT_TRUE(fs::exists(folder_ / there));
  EXPECT_TRUE(fs::exists(folder_ / other));
  EXPECT_THAT(said.err, HasSubstr("merged into merged; its answers differ by "));
  EXPECT_NEAR(evaluated("--model merged")["loss"], double(evaluated("--model runs/tiny/tuned")["loss"]), 1e-5);
  const Said again = regimen("merge --model runs/tiny/tuned --out merged");
  EXPECT_EQ(again.status, 2);
  EXPECT_THAT(again.err, HasSubstr("merged already exists"));
  EXPECT_THAT(regimen("merge --model runs/tiny/tuned --out merged/").err, HasSubstr("merged/ already exists"));
  ASSERT_EQ(regimen("merge --model runs/tiny/tuned --out deep/other/").status, 0);
  EXPECT_EQ(hash_of("deep/other/model.safetensors"), hash_of("merged/model.safetensors"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "deep"), {}), 1) << "nothing else is left there";
}

// What is cut off by the limit on the size of files is removed.
TEST_F(AdapterTest, AMergeThatFailsLeavesNothing) {
  write("p.yaml", tiny(5, stage("tuned", "base", "    steps: 5\n    adapter: {lora: {rank: 1}}\n")));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  fs::create_directories(folder_ / "to");
  const Said said =
      rgm::regimen("merge --model runs/tiny/tuned --out to/merged", in_folder() + "trap '' XFSZ && ulimit -f 20 &&");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("cannot be written"));
  EXPECT_TRUE(fs::is_empty(folder_ / "to"));
}

TEST_F(AdapterTest, VirtualTokensThatFillTheContextAreToldSo) {
  write("p.yaml", tiny(5, stage("tuned", "base", "    steps: 5\n    adapter: {prefix: {length: 16}}\n")));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("tuned: 16 virtual tokens stand before the text, and the model's context is 16: no "
                                  "room is left for the text"));
}

TEST_F(AdapterTest, WhatCannotBeMergedIsLeftAlone) {
  write("p.yaml", tiny(5, stage("tuned", "base", "    steps: 5\n    adapter: {soft_prompt: {length: 2}}\n")));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const Said said = regimen("merge --model runs/tiny/tuned --out merged");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("adapter \"soft_prompt\" cannot be merged: it puts vectors in front of the text"));
  EXPECT_FALSE(fs::exists(folder_ / "merged"));
  const Said none = regimen("merge --model runs/tiny/base --out merged");
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("has no adapter; give one with --adapter DIR"));
}

TEST_F(AdapterTest, EachTrainsInAPipeline) {
  std::string stages;
  for (const char* adapter : {"prefix: {length: 4}", "soft_prompt: {length: 4}", "ia3: {}", "series: {size: 4}",
                              "parallel: {size: 4}", "lora: {rank: 2, rslora: true}"})
    stages += stage("a" + std::to_string(stages.size()), "base",
                    std::string("    steps: 12\n    adapter: {") + adapter + "}\n");
  write("p.yaml", tiny(20, stages));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  int seen = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "runs/tiny"))
    if (entry.path().filename().string().starts_with("a")) {
      const auto r = parse_json(read_file(entry.path() / "stage.json"))["result"];
      EXPECT_EQ(r["base_unchanged"], true) << entry.path();
      EXPECT_LT(double(r["validation_loss"]), 0.69) << entry.path();  // less than a coin's ln 2
      ++seen;
    }
  EXPECT_EQ(seen, 6);
}

TEST_F(AdapterTest, AnotherAlphaThanItStartsFromIsTold) {
  const auto with = [](const std::string& name, const std::string& adapter) {
    return stage(name, "base", "    steps: 1\n    adapter: " + adapter + "\n");
  };
  const auto ran = [&](const std::string& second) {
    write("p.yaml", tiny(5, with("first", "{lora: {rank: 2, alpha: 32}}") + with("second", second)));
    return regimen("run p.yaml");
  };
  const Said same = ran("{lora: {rank: 2, alpha: 32}, from: first}");
  ASSERT_EQ(same.status, 0) << same.err;
  EXPECT_THAT(same.err, testing::Not(HasSubstr("a different function")));
  const Said said = ran("{lora: {rank: 2, rslora: true}, from: first}");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err,
              testing::ContainsRegex("adapter \"lora\" starts from .*first with alpha 16(.0)? instead of 32(.0)?, "
                                     "rslora true instead of false, so it may begin as a different function"));
}

// What another prompt has learned is where this one begins: at a rate of almost nothing it is as good.
TEST_F(AdapterTest, StartsAsAnotherOne) {
  const auto with = [&](const std::string& name, const std::string& adapter, const std::string& rate) {
    std::string out = stage(name, "base", "    steps: 40\n    adapter: " + adapter + "\n    trainable: adapter\n");
    return out.replace(out.find("1e-2"), 4, rate);
  };
  write("p.yaml", tiny(20, with("first", "{soft_prompt: {length: 2, init: random}}", "1e-1") +
                               with("second", "{soft_prompt: {length: 2}, from: first}", "1e-12")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const SafeTensors first(folder_ / "runs/tiny/first/adapter/adapter_model.safetensors");
  const SafeTensors second(folder_ / "runs/tiny/second/adapter/adapter_model.safetensors");
  const auto values = [](const SafeTensors& file) {
    const auto data = file.find("prompt_embeddings")->data;
    return std::vector<float>(reinterpret_cast<const float*>(data.data()),
                              reinterpret_cast<const float*>(data.data()) + 64);
  };
  EXPECT_THAT(values(second), testing::Pointwise(testing::FloatNear(1e-6F), values(first)));
  EXPECT_EQ(json("runs/tiny/second/stage.json")["configuration"]["adapter"][0]["from"], "first");
  // A longer one has no values for all of its vectors.
  write("p.yaml", tiny(20, with("first", "{soft_prompt: {length: 2, init: random}}", "1e-1") +
                               with("second", "{soft_prompt: {length: 3}, from: first}", "1e-12")));
  const Said longer = regimen("run p.yaml");
  EXPECT_EQ(longer.status, 2);
  EXPECT_THAT(longer.err, HasSubstr("saved with the shape (2, 32), but (3, 32) is wanted"));
  write("p.yaml", tiny(20, with("first", "{soft_prompt: {length: 2}}", "1e-1") +
                               with("second", "{prefix: {length: 2}, from: first}", "1e-3")));
  EXPECT_THAT(regimen("run p.yaml").err, HasSubstr("expected one adapter of the kind \"prefix\" to start from"));
}

// Three prompts learn in one stage and vote. Each is an ordinary adapter afterwards, and the base is as it was.
TEST_F(AdapterTest, AnEnsembleVotes) {
  const std::string prompts = "    steps: 60\n    adapter: {soft_prompt: {length: 2, init: random}}\n    ensemble: 3\n";
  write("p.yaml", tiny(20, stage("three", "base", prompts)));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result("three")["accuracy"], 1.0);
  EXPECT_TRUE(result("three").contains("member_accuracy"));
  EXPECT_EQ(result("three")["base_unchanged"], true);
  EXPECT_EQ(result("three")["trained_parameters"], 3 * 2 * 32 + 2 * 32);  // a head of 2 x 32 for all
  std::set<std::string> different;
  for (const char* member : {"1", "2", "3"}) {
    const std::string folder = std::string("runs/tiny/three/adapter/") + member;
    different.insert(read_file(folder_ / folder / "adapter_model.safetensors"));
    EXPECT_GT(evaluated("--model runs/tiny/base --adapter " + folder)["accuracy"], 0.5);
  }
  EXPECT_EQ(different.size(), 3U);
  const Said whole =
      regimen("evaluate --data rows.tsv --column text=0 --model runs/tiny/base --adapter runs/tiny/three");
  EXPECT_EQ(whole.status, 2);
  EXPECT_THAT(whole.err, HasSubstr("is an ensemble of adapters, each of which answers on its own; name one"));
  EXPECT_THAT(regimen("run p.yaml").err, HasSubstr("stage three: unchanged, not run again"));
}

TEST_F(AdapterTest, AnEnsembleThatCannotBeIsTold) {
  write("p.yaml", tiny(20, stage("bare", "base", "    steps: 1\n    ensemble: 3\n")));
  EXPECT_THAT(regimen("check p.yaml").err,
              HasSubstr("\"ensemble\" needs an adapter, of which each member has its own"));
  write("p.yaml", tiny(20, stage("many", "base", "    steps: 1\n    adapter: lora\n    ensemble: 65\n")));
  EXPECT_THAT(regimen("check p.yaml").err, HasSubstr("64"));
}

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
