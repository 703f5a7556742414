// mixture_test.cpp - stages that read a text beside rows: what they learn from, a kill on the way, what counts as a
// change.
#include <gmock/gmock.h>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::Not;

class MixtureTest : public TinyRun {
 protected:
  // Their capital letters are in no text.
  MixtureTest() {
    std::string rows;
    for (int i = 0; i < 20; ++i) {
      const std::string n = std::to_string(i % 10);
      rows += R"({"prompt": "Q: )" + n + R"(?", "completion": "A: )" + n + "\"}\n";
    }
    write("chats.jsonl", rows);
  }
  // The pipeline with the rows beside every text that is trained on.
  static std::string mixed(std::string pipeline) {
    const std::string text = "train: {text: text.txt}";
    for (size_t at; (at = pipeline.find(text)) != pipeline.npos;)
      pipeline.replace(at, text.size(), "train: [{text: text.txt, share: 0.75}, {jsonl: chats.jsonl, share: 0.25}]");
    return pipeline;
  }
};

TEST_F(MixtureTest, KilledItEndsWithTheSameBits) {
  write("p.yaml", mixed(tiny(100, "    checkpoint: {every: 20}\n")));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  kill_and_resume("base/checkpoint/step-20");
  EXPECT_EQ(hash_of("killed/base/model/model.safetensors"), hash_of("whole/base/model/model.safetensors"));
}

TEST_F(MixtureTest, TextsBesideRowsAreLearnedAndDistilled) {
  write("p.yaml", mixed(tiny(2,
                             "  - name: tuned\n    strategy: finetune\n    model: {from: base}\n    batch: 4\n"
                             "    data: {train: {text: text.txt}, validation: {split: 0.1}}\n    steps: 2\n"
                             "  - name: pupil\n    strategy: distill\n    model: {from: base}\n    batch: 4\n"
                             "    teacher: {from: base}\n    data: {train: {text: text.txt}}\n    steps: 2\n")));
  EXPECT_EQ(regimen("check p.yaml").status, 0);
  const Said first = regimen("run p.yaml --out out");
  ASSERT_EQ(first.status, 0) << first.err;
  for (const char* stage : {"base", "tuned"}) {
    const auto record = json(std::string("out/") + stage + "/stage.json");
    EXPECT_EQ(record["data"]["train"]["files"].size(), 2U);
    EXPECT_EQ(record["configuration"]["data"]["train"][0]["share"], 0.75);
    EXPECT_TRUE(record["result"]["validation_loss"].is_number());
  }
  const Said again = regimen(
      "run p.yaml --out out --set "
      "'stages.tuned.data.train=[{text: text.txt, share: 0.5}, {jsonl: chats.jsonl, share: 0.5}]'");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("stage base: unchanged, not run again"));
  EXPECT_THAT(again.err, Not(HasSubstr("stage tuned: unchanged")));
  EXPECT_THAT(again.err, HasSubstr("stage pupil: unchanged, not run again"));
}

// Into one cache: ABC and xyz are read first, then abc and XYZ.
TEST_F(MixtureTest, ATokenizerIsLearnedFromTheColumnsOfEachPart) {
  write("a.jsonl", "{\"text\": \"abc\", \"loud\": \"ABC\"}\n");
  write("b.jsonl", "{\"text\": \"xyz\", \"loud\": \"XYZ\"}\n");
  std::string pipeline = tiny(1), text = "train: {text: text.txt}, validation: {split: 0.1}";
  write("p.yaml", pipeline.replace(pipeline.find(text), text.size(),
                                   "train: [{jsonl: a.jsonl, columns: {text: loud}}, {jsonl: b.jsonl}]"));
  ASSERT_EQ(regimen("run p.yaml --out out").status, 0);
  const Said other = regimen(
      "run p.yaml --out out --set "
      "'stages.base.data.train=[{jsonl: a.jsonl}, {jsonl: b.jsonl, columns: {text: loud}}]'");
  EXPECT_EQ(other.status, 0) << other.err;
}

TEST_F(MixtureTest, APlanShowsThePartsAsTheyAreSet) {
  write("p.yaml", mixed(tiny(2)));
  const Said plan = regimen("plan p.yaml");
  ASSERT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("[{\"share\":0.75,\"text\":["));
  EXPECT_THAT(plan.out, testing::ContainsRegex("data.validation.split +0.1"));
  EXPECT_THAT(plan.out, Not(HasSubstr("\"end\"")));
  const Said cut = regimen("plan p.yaml --set 'stages.base.data.train=[{text: text.txt, begin: 0.25, end: 0.8}]'");
  EXPECT_THAT(cut.out, HasSubstr("[{\"begin\":0.25,\"end\":0.8,\"text\":["));
}

}  // namespace
}  // namespace rgm
