// inputs_test.cpp - what counts as a change of a stage's inputs, wherever its content lies.
#include <gmock/gmock.h>

#include "artefact/safetensors.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::Not;

class Inputs : public TinyRun {
 protected:
  // Whether the stage did something when the pipeline was run into out/.
  bool runs_again(const std::string& stage, const std::string& pipeline = "p.yaml") const {
    const Said said = regimen("run " + pipeline + " --out out");
    EXPECT_EQ(said.status, 0) << said.err;
    return said.err.find("stage " + stage + ": unchanged, not run again") == std::string::npos;
  }
};

TEST_F(Inputs, WeightsInSeveralFilesAreHashed) {
  write("base.yaml", tiny(2));
  const fs::path folder = folder_ / "sharded", one = folder / "model-00001-of-00001.safetensors";
  for (const std::string seed : {"3", "4"})
    ASSERT_EQ(regimen("run base.yaml --out " + seed + " --set seed=" + seed).status, 0);
  fs::copy(folder_ / "3/base/model", folder);
  fs::rename(folder / "model.safetensors", one);
  nlohmann::json index;
  const SafeTensors saved(one);
  for (const SavedTensor& tensor : saved.tensors()) index["weight_map"][tensor.name] = one.filename().string();
  write("sharded/model.safetensors.index.json", index.dump());
  write("p.yaml",
        "regimen: 1\nbackend: reference\nstages:\n  - name: more\n    strategy: pretrain\n    model: {from: sharded}\n"
        "    data: {train: {text: text.txt}}\n    batch: 2\n    steps: 1\n");
  EXPECT_TRUE(runs_again("more"));
  EXPECT_FALSE(runs_again("more"));
  fs::copy(folder_ / "4/base/model/model.safetensors", one, fs::copy_options::overwrite_existing);
  EXPECT_TRUE(runs_again("more")) << "the index is the same, the weights are not";
}

TEST_F(Inputs, AnOlderTokenizerIsHashed) {
  const fs::path models = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/sentence_piece";
  fs::create_directories(folder_ / "pieces");
  const auto take = [&](const char* name) { write("pieces/tokenizer.model", read_file(models / name)); };
  take("llama.model");
  std::string text = tiny(1);
  text.replace(text.find("tokenizer: characters"), 21, "tokenizer: {from: pieces}");
  write("p.yaml", text);
  EXPECT_TRUE(runs_again("base"));
  EXPECT_FALSE(runs_again("base"));
  take("mistral.model");
  EXPECT_TRUE(runs_again("base"));
}

TEST_F(Inputs, ATemplateIsItsContentAndNotItsPlace) {
  const std::string jinja = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
  write("chats.jsonl", R"({"turns": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "the cat"}]})");
  const auto with = [&](const std::string& file) {
    return "regimen: 1\nbackend: reference\nstages:\n  - name: talk\n    strategy: finetune\n    tokenizer: bytes\n"
           "    model: {family: gpt2, layers: 1, heads: 1, channels: 8, context: 64}\n    batch: 1\n    steps: 1\n"
           "    data: {train: {jsonl: chats.jsonl, columns: {text: {messages: turns, template: " +
           file + "}}}}\n";
  };
  fs::create_directories(folder_ / "moved");
  write("a.jinja", jinja);
  write("p.yaml", with("a.jinja"));
  write("moved/b.jinja", jinja);
  write("q.yaml", with("moved/b.jinja"));
  EXPECT_TRUE(runs_again("talk"));
  EXPECT_EQ(json("out/talk/stage.json")["hashes"]["template.train.text"], sha256(sha256(jinja)));
  EXPECT_FALSE(runs_again("talk"));
  EXPECT_FALSE(runs_again("talk", "q.yaml")) << "the same text in another place";
  write("a.jinja", "{% for m in messages %}{{ m.role }}> {{ m.content }}\n{% endfor %}");
  EXPECT_TRUE(runs_again("talk")) << "another text in the same place";
}

// All that a later stage or a person takes from it, not the weights alone.
TEST_F(Inputs, EveryFileThatAStageHasLeftIsLookedAt) {
  write("prompts.jsonl", "{\"prompt\": \"the cat\"}\n");
  write("p.yaml",
        tiny(2,
             "  - name: answers\n    strategy: {sample: {answers: 2, max_tokens: 3}}\n    model: {from: base}\n"
             "    data: {prompts: {jsonl: prompts.jsonl}}\n"));
  EXPECT_TRUE(runs_again("base"));
  const auto files = json("out/base/stage.json")["files"];
  EXPECT_EQ(files["model/model.safetensors"], json("out/base/stage.json")["result"]["sha256"]);
  EXPECT_EQ(files.size(), 4U) << files << ": config.json, two of the tokenizer, and the weights";
  for (const auto& [name, hash] : files.items()) {
    EXPECT_FALSE(runs_again("base"));
    write("out/base/" + name, name.ends_with(".safetensors") ? "{}" : "");
    EXPECT_TRUE(runs_again("base")) << name;
    EXPECT_EQ(hash_of("out/base/" + name), hash);
  }
  EXPECT_FALSE(runs_again("answers"));
  write("out/answers/rows.jsonl", "");
  EXPECT_TRUE(runs_again("answers"));
  EXPECT_EQ(json("out/answers/stage.json")["files"]["rows.jsonl"], hash_of("out/answers/rows.jsonl"));
  write("out/answers/rows.jsonl", "{\"prompt\": \"the cat\", \"text\": \" sat\"}\n");
  EXPECT_FALSE(runs_again("answers")) << "somebody has edited the rows, and wants them so";
}

TEST_F(Inputs, ARecordWithoutTheFilesStillCounts) {
  write("p.yaml", tiny(2));
  EXPECT_TRUE(runs_again("base"));
  auto record = json("out/base/stage.json");
  record.erase("files");
  write("out/base/stage.json", record.dump());
  EXPECT_FALSE(runs_again("base"));
  write("out/base/model/model.safetensors", "half");
  EXPECT_TRUE(runs_again("base"));
}

// Hours of work are thrown away: whoever changed something by mistake sees what.
TEST_F(Inputs, AStageThatIsMadeAgainSaysWhy) {
  write("p.yaml", tiny(1,
                       "  - name: more\n    strategy: pretrain\n    model: {from: base}\n"
                       "    data: {train: {text: text.txt}}\n    steps: 1\n"));
  const auto said = [&](const std::string& set) { return regimen("run p.yaml --out out " + set).err; };
  EXPECT_THAT(said(""), Not(HasSubstr("made again")));
  const std::string other = said("--set stages.base.optimizer.adamw.learning_rate=0.5");
  EXPECT_THAT(other, HasSubstr("stage base: made again, because optimizer.adamw.learning_rate changed\n"));
  EXPECT_THAT(other, HasSubstr("stage more: made again, because model changed\n"));
  EXPECT_THAT(said("--set seed=4 --set stages.base.log.every=1 --set stages.base.checkpoint.every=1"),
              HasSubstr("stage base: made again, because optimizer.adamw.learning_rate, seed changed\n"));
  fs::remove(folder_ / "out/more/model/config.json");
  EXPECT_THAT(said("--set seed=4 --set stages.base.log.every=1 --set stages.more.log.every=1"),
              HasSubstr("stage more: made again, because log.every changed\n"));
  fs::remove(folder_ / "out/more/model/config.json");
  EXPECT_THAT(said("--set seed=4 --set stages.base.log.every=1 --set stages.more.log.every=1"),
              HasSubstr("stage more: made again, because a file that it left is missing or was changed\n"));
  EXPECT_THAT(said("--force --only more --set seed=4"), Not(HasSubstr("made again")));
}

TEST_F(Inputs, AloneAStageTakesWhatIsFinishedAndAsThePipelineSays) {
  write("p.yaml", tiny(5,
                       "  - name: more\n    strategy: pretrain\n    model: {from: base}\n"
                       "    data: {train: {text: text.txt}}\n    steps: 1\n"));
  const Said nothing = regimen("run p.yaml --out out --only more");
  EXPECT_EQ(nothing.status, 2);
  EXPECT_THAT(nothing.err, HasSubstr("stage more: it builds on stage \"base\", which is not finished "
                                     "(out/base/stage.json: missing): run that first, with --only base"));
  ASSERT_EQ(regimen("run p.yaml --out out --only base").status, 0);
  const Said other =
      regimen("run p.yaml --out out --only more --set stages.base.steps=6 --set stages.base.checkpoint.every=2");
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("stage \"base\", which was made with other values than the pipeline has now (in "
                                   "steps): run that again, with --only base"));
  EXPECT_FALSE(fs::exists(folder_ / "out/more"));
  // What is only watched or demanded is none of them.
  EXPECT_EQ(regimen("run p.yaml --out out --only more --set stages.base.log.every=1").status, 0);

  auto record = json("out/base/stage.json");
  record["status"] = "interrupted";
  write("out/base/stage.json", record.dump());
  const Said half = regimen("run p.yaml --out out --only more --force");
  EXPECT_EQ(half.status, 2);
  EXPECT_THAT(half.err, HasSubstr("out/base/stage.json: interrupted"));
}

// What it takes was made from what others left, which has to be as the pipeline says, too.
TEST_F(Inputs, AloneAStageTakesWhatIsGoodEnoughAndMadeOfWhatThereIs) {
  const auto on = [](const std::string& name, const std::string& from, const std::string& more = "") {
    return "  - name: " + name + "\n    strategy: pretrain\n    model: {from: " + from +
           "}\n    data: {train: {text: more.txt}}\n    steps: 1\n" + more;
  };
  write("more.txt", read_file(folder_ / "text.txt"));
  write("p.yaml", tiny(5, on("more", "base") + on("most", "more")));
  ASSERT_EQ(regimen("run p.yaml --out out").status, 0);
  const auto refused = [&](const std::string& set) {
    const Said said = regimen("run p.yaml --out out --force --only most " + set);
    EXPECT_EQ(said.status, set.find("demand") == std::string::npos ? 2 : 1) << said.err;
    return said.err;
  };
  EXPECT_THAT(refused("--set stages.base.steps=6"),
              HasSubstr("stage more: it builds on stage \"base\", which was made with other values"));
  EXPECT_THAT(refused("--set seed=4"), HasSubstr("made from other content than there is now (in seed)"));
  EXPECT_THAT(refused("--set 'stages.more.demand={loss: 1000}'"), HasSubstr("stage more: loss is"));
  write("more.txt", read_file(folder_ / "text.txt") + "more");
  EXPECT_THAT(
      refused(""),
      HasSubstr("stage \"more\", which was made from other content than there is now (in data.train): run that again"));
}

}  // namespace
}  // namespace rgm
