// shared_stages_test.cpp - pipelines that two processes run: of every kind of method, the weights of one that is alone.
#include <cstdlib>

#include "artefact/folder.hpp"
#include "artefact/safetensors.hpp"
#include "base/forked.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "host/host.hpp"
#include "pipeline/run.hpp"

namespace rgm::test {
namespace {

using testing::Each;
using testing::HasSubstr;

class SharedStages : public testing::Test {
 protected:
  SharedStages() {
    ::setenv("REGIMEN_PLUGIN_PATH", REGIMEN_PLUGINS, 1);
    std::string text, prompts, pairs;
    for (int i = 0; i < 60; ++i) text += "the cat sat on the mat and the dog ran " + std::to_string(i) + " times\n";
    for (int i = 0; i < 8; ++i) {
      const std::string start =
          std::string(R"({"prompt": ")") + (i % 2 ? "the cat" : "the dog") + " " + std::to_string(i);
      prompts += start + "\"}\n";
      pairs += start + R"(", "chosen": " sat", "rejected": " ran )" + std::to_string(i) + "\"}\n";
    }
    write_file(folder_ / "text.txt", text);
    write_file(folder_ / "prompts.jsonl", prompts);
    write_file(folder_ / "pairs.jsonl", pairs);
  }
  ~SharedStages() override { ::unsetenv("REGIMEN_PLUGIN_PATH"); }

  static std::string base(const std::string& model = "family: gpt2, heads: 2") {
    return "regimen: 1\nname: p\nseed: 3\nbackend: reference\nstages:\n  - name: base\n    strategy: pretrain\n"
           "    model: {" +
           model +
           ", layers: 1, channels: 8, context: 24}\n    tokenizer: characters\n"
           "    data: {train: {text: text.txt}, validation: {split: 0.1}}\n    batch: 4\n    micro_batch: 2\n"
           "    steps: 3\n";
  }
  static std::string stage(const std::string& strategy, const std::string& more) {
    return "  - name: last\n    strategy: " + strategy +
           "\n    model: {from: base}\n    batch: 4\n    micro_batch: 2\n"
           "    steps: 2\n    checkpoint: {every: 1}\n    optimizer: {sgd: {learning_rate: 0.1}}\n" +
           more;
  }
  // What `n` processes say of it; results are in the folder `out`.
  std::vector<std::string> run(const std::string& pipeline, int n, const std::string& out, bool quiet = true) const {
    write_file(folder_ / "p.yaml", pipeline);
    return in_processes(n, [&](ProcessGroup& processes) {
      if (quiet) log::set_levels({log::Level::nothing, log::Level::nothing});
      Registry registry(host_table());
      const Pipeline read = read_pipeline(folder_ / "p.yaml", {}, registry);
      RunOptions options;
      options.out = folder_ / out;
      options.processes = &processes;
      rgm::run(read, options, registry);
      return std::string("done");
    });
  }
  nlohmann::json record(const std::string& out, const std::string& stage = "last") const {
    return parse_json(read_file(folder_ / out / stage / "stage.json"));
  }
  std::vector<float> weights(const std::string& file) const {
    std::vector<float> out;
    const SafeTensors saved(folder_ / file);
    for (const SavedTensor& t : saved.tensors()) {
      const auto* begin = reinterpret_cast<const float*>(t.data.data());
      out.insert(out.end(), begin, begin + t.data.size() / sizeof(float));
    }
    return out;
  }
  // The stage `last` on top of the same base. Its two gradients are added up in the same order, but by the backend,
  // which keeps more digits meanwhile, or by the processes: a few 2^-24 of them, and SGD's steps hand that on.
  void expect_same(const std::string& before, const std::string& last, const std::string& file) {
    ASSERT_THAT(run(before, 1, "one"), Each("done"));
    fs::copy(folder_ / "one", folder_ / "two", fs::copy_options::recursive);
    ASSERT_THAT(run(before + last, 1, "one"), Each("done"));
    ASSERT_THAT(run(before + last, 2, "two"), Each("done"));
    const auto one = weights("one/" + file), two = weights("two/" + file);
    ASSERT_EQ(one.size(), two.size());
    double most = 0;
    for (size_t i = 0; i < one.size(); ++i) most = std::max(most, double(std::abs(one[i] - two[i])));
    EXPECT_LE(most, 1e-6);
    EXPECT_EQ(record("two")["result"]["processes"], 2);
    const auto numbers = record("one")["result"];
    for (const char* name : {"loss", "validation_loss", "reward"})
      if (numbers.contains(name)) {
        EXPECT_NEAR(record("two")["result"][name].get<double>(), numbers[name].get<double>(), 1e-5) << name;
      }
    EXPECT_EQ(files("two"), files("one"));
  }
  // By name, but for events, whose names tell the process.
  std::vector<std::string> files(const std::string& out) const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / out)) {
      const std::string name = entry.path().lexically_relative(folder_ / out).string();
      all.push_back(name.substr(0, name.find(".tfevents")));
    }
    std::ranges::sort(all);
    return all;
  }
  Folder folder_;
};

TEST_F(SharedStages, AnAdapterAlone) {
  expect_same(base(), stage("pretrain", "    adapter: lora\n    data: {train: {text: text.txt}}\n"),
              "last/adapter/adapter_model.safetensors");
}

TEST_F(SharedStages, AMixtureOfExperts) {
  expect_same(base("family: mixtral, heads: 2, experts: 4"),
              stage("pretrain", "    data: {train: {text: text.txt}, validation: {split: 0.1}}\n"),
              "last/model/model.safetensors");
}

TEST_F(SharedStages, ExamplesThatAReferenceHasAnnotated) {
  expect_same(base(), stage("dpo", "    data: {train: {jsonl: pairs.jsonl}, validation: {split: 0.3}}\n"),
              "last/model/model.safetensors");
}

TEST_F(SharedStages, RolloutsThatARuleScores) {
  expect_same(base(),
              stage("{rloo: {answers: 2, max_tokens: 4}}",
                    "    data: {prompts: {jsonl: prompts.jsonl}, validation: {split: 0.3}}\n"
                    "    reward: {rule: {contains: a}}\n"),
              "last/model/model.safetensors");
}

TEST_F(SharedStages, ALearnedRewardAndACritic) {
  expect_same(
      base() +
          "  - {name: judge, strategy: reward_modeling, model: {from: base}, reward: pairwise, batch: 4, "
          "micro_batch: 2, steps: 2, data: {train: {jsonl: pairs.jsonl}}}\n",
      stage("{ppo: {max_tokens: 4}}", "    data: {prompts: {jsonl: prompts.jsonl}}\n    reward: {from: judge}\n"),
      "last/model/model.safetensors");
}

TEST_F(SharedStages, AReportOnAllHeldOutData) {
  expect_same(
      base(),
      "  - {name: last, strategy: reward_modeling, model: {from: base}, reward: pairwise, batch: 4, micro_batch: "
      "2, steps: 2, optimizer: {sgd: {learning_rate: 0.1}}, data: {train: {jsonl: pairs.jsonl}, validation: "
      "{split: 0.5}}}\n",
      "last/model/model.safetensors");
  for (const char* out : {"one", "two"}) EXPECT_EQ(record(out)["result"]["report_card"]["pairs"], 4) << out;
}

TEST_F(SharedStages, RowsAreWrittenByTheFirstAndReadByAll) {
  const std::string before =
      base() +
      "  - {name: answers, strategy: {sample: {max_tokens: 4}}, model: {from: base}, data: {prompts: {jsonl: "
      "prompts.jsonl}}}\n";
  expect_same(before, stage("pretrain", "    data: {train: {from: answers}}\n"), "last/model/model.safetensors");
  fs::remove_all(folder_ / "two/answers");
  ASSERT_THAT(run(before, 2, "two"), Each("done"));
  EXPECT_EQ(read_file(folder_ / "one/answers/rows.jsonl"), read_file(folder_ / "two/answers/rows.jsonl"));
}

// Another number of processes is no reason to make a stage again.
TEST_F(SharedStages, FinishedStagesAreSkippedByAllOfThem) {
  const std::string first = base(), both = base() + stage("pretrain", "    data: {train: {text: text.txt}}\n");
  ASSERT_THAT(run(first, 1, "out"), Each("done"));
  const auto before = fs::last_write_time(folder_ / "out/base/stage.json");
  ASSERT_THAT(run(both, 2, "out"), Each("done"));
  EXPECT_EQ(fs::last_write_time(folder_ / "out/base/stage.json"), before);
  EXPECT_EQ(record("out")["made_with"]["processes"], 2);
  ASSERT_THAT(run(both, 2, "out"), Each("done"));
}

TEST_F(SharedStages, RowsThatFitAreOfOneOfThem) {
  const std::string pipeline = base() +
                               "  - {name: last, strategy: pretrain, model: {from: base}, batch: 6, micro_batch: auto, "
                               "steps: 1, data: {train: {text: text.txt}}}\n";
  ASSERT_THAT(run(pipeline, 2, "out"), Each("done"));
  EXPECT_EQ(record("out")["configuration"]["micro_batch"], 3);
}

TEST_F(SharedStages, ABatchThatIsTooSmallForThemIsAProblemOfTheFile) {
  const auto said = run("processes: 3\n" + base() + stage("pretrain", "    data: {train: {text: text.txt}}\n") +
                            "  - {name: small, strategy: pretrain, model: {from: base}, batch: 2, steps: 1, data: "
                            "{train: {text: text.txt}}}\n",
                        1, "out");
  EXPECT_THAT(said,
              Each(HasSubstr("p.yaml:24:60: small: 3 processes cannot share out a batch of 2: run it with at most "
                             "2, or write a larger batch")));
}

TEST_F(SharedStages, WhatTheFirstCannotOpenAllSay) {
  const auto said = run(base() + stage("pretrain",
                                       "    adapter: {lora: {sites: [nowhere]}}\n"
                                       "    data: {train: {text: text.txt}}\n"),
                        2, "out");
  EXPECT_THAT(said, Each(HasSubstr("nowhere")));
  const auto few = run(base() + stage("pretrain", "    data: {train: {text: text.txt}}\n"), 3, "out");
  EXPECT_THAT(few, Each("done")) << "a batch of 4 in micro-batches of 2 is enough for 3";
}

}  // namespace
}  // namespace rgm::test
