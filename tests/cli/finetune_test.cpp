// finetune_test.cpp - further training: what is trained and what stays, labels, answers, numbers.
#include <gmock/gmock.h>

#include <set>

#include "artefact/safetensors.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class FinetuneTest : public TinyRun {
 protected:
  FinetuneTest() {
    std::string rows, pairs, values;
    for (int i = 0; i < 40; ++i) {
      rows += i % 2 ? "the dog ran " + std::to_string(i) + " times\tdog\n"
                    : "the cat sat on " + std::to_string(i) + "\tcat\n";
      // Nothing tells the digits of a question beforehand; its answer is the first of them.
      const std::string question = std::to_string(1000 + i * 7919 % 9000);
      pairs += "{\"question\": \"" + question + "\", \"answer\": \"" + question.substr(0, 1) + "\"}\n";
      values += i % 2 ? "dog\t1.5\n" : "cat\t-0.5\n";
    }
    write("rows.tsv", rows), write("pairs.jsonl", pairs), write("values.tsv", values);
  }
  // The tiny base, and a second stage on it.
  static std::string with(const std::string& more) {
    return tiny(
        20, "  - name: tuned\n    strategy: finetune\n    batch: 8\n    optimizer: {adamw: {learning_rate: 3e-3}}\n" +
                more);
  }
  static std::string labelled(const std::string& more) {
    return with(
        "    model: {from: base, head: {classify: {labels: [cat, dog]}}}\n"
        "    data: {train: {tsv: rows.tsv, columns: {text: 0, label: 1}}, validation: {split: 0.25}}\n" +
        more);
  }
  // Names of the tensors whose bytes differ between the base and what came of it.
  std::set<std::string> changed() const {
    const SafeTensors before(folder_ / "runs/tiny/base/model/model.safetensors"),
        after(folder_ / "runs/tiny/tuned/model/model.safetensors");
    std::set<std::string> out;
    for (const SavedTensor& t : after.tensors()) {
      const SavedTensor* const was = before.find(t.name);
      if (!was || !std::ranges::equal(was->data, t.data)) out.insert(t.name);
    }
    return out;
  }
  nlohmann::json result() const { return json("runs/tiny/tuned/stage.json")["result"]; }
};

TEST_F(FinetuneTest, LabelsAreLearned) {
  write("p.yaml", labelled("    steps: 60\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result()["accuracy"], 1.0);
  EXPECT_LT(result()["validation_loss"], 0.3);
  EXPECT_EQ(result()["trained_parameters"], 26784 + 2 * 32);
  EXPECT_EQ(result()["base_unchanged"], false);
}

TEST_F(FinetuneTest, TheHeadAloneLeavesEveryOtherByte) {
  write("p.yaml", labelled("    steps: 10\n    trainable: head\n"));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  EXPECT_EQ(changed(), std::set<std::string>{"score.weight"});
  EXPECT_EQ(result()["trained_parameters"], 64);
  EXPECT_EQ(result()["base_unchanged"], true);
}

TEST_F(FinetuneTest, TheLastLayerLeavesTheBytesOfTheFirst) {
  write("p.yaml", labelled("    steps: 10\n    trainable: {last: 1}\n"));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const auto names = changed();
  EXPECT_EQ(names.size(), 12 + 2 + 1);  // of layer 1, of the last norm, of the head
  for (const std::string& name : names)
    EXPECT_TRUE(name.starts_with("transformer.h.1.") || name.starts_with("transformer.ln_f.") || name == "score.weight")
        << name;
}

// The digits of a question cannot be told beforehand, 2.3 a token; the answer can.
TEST_F(FinetuneTest, OnlyAnswersCount) {
  write("text.txt", read_file(folder_ / "text.txt") + "0123456789\n");
  write("p.yaml", with("    model: {from: base}\n    steps: 300\n"
                       "    data: {train: {jsonl: pairs.jsonl, columns: {text: {prompt: question, answer: answer}}}, "
                       "validation: {split: 0.25}}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_LT(result()["validation_loss"], 0.5);
}

TEST_F(FinetuneTest, NumbersAreLearned) {
  write("p.yaml",
        with("    model: {from: base, head: scalar}\n    steps: 60\n"
             "    data: {train: {tsv: values.tsv, columns: {text: 0, value: 1}}, validation: {split: 0.25}}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_LT(result()["validation_loss"], 0.05);  // the mean of both has 1
}

TEST_F(FinetuneTest, AHeadThatIsThereGoesOn) {
  write("p.yaml",
        labelled("    steps: 30\n  - name: more\n    strategy: finetune\n    model: {from: tuned}\n    steps: 1\n"
                 "    optimizer: {adamw: {learning_rate: 1e-9}}\n"
                 "    data: {train: {tsv: rows.tsv, columns: {text: 0, label: 1}}, validation: {split: 0.25}}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_NEAR(json("runs/tiny/more/stage.json")["result"]["validation_loss"], result()["validation_loss"], 1e-3);
}

TEST_F(FinetuneTest, AHeadWithoutItsColumnIsToldSo) {
  write("rows.jsonl", "{\"text\": \"the cat\"}\n{\"text\": \"the dog\"}\n");
  write("p.yaml", with("    model: {from: base, head: {classify: {labels: [cat, dog]}}}\n    steps: 1\n"
                       "    data: {train: {jsonl: rows.jsonl}}\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("rows.jsonl:1: there is no \"label\" for the column \"label\"; there are text"));
}

TEST_F(FinetuneTest, ALabelThatIsNoneIsToldWithItsLine) {
  write("rows.tsv", "the cat\tcat\nthe dog\tdgo\n");
  write("p.yaml", labelled("    steps: 1\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("rows.tsv:2: \"1\" is \"dgo\", which is not a label of the model's head: cat, dog"));
}

TEST_F(FinetuneTest, KilledItEndsWithTheSameBits) {
  write("p.yaml", labelled("    steps: 200\n    checkpoint: {every: 20}\n"));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  ASSERT_NO_FATAL_FAILURE(kill_and_resume("tuned/checkpoint/step-20"));
  EXPECT_EQ(hash_of("killed/tuned/model/model.safetensors"), hash_of("whole/tuned/model/model.safetensors"));
}

}  // namespace
}  // namespace rgm
