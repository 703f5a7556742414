// model_problems_test.cpp - models that are taken from where there is none, or that cannot be made.
#include <gmock/gmock.h>

#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using PipelineProblems = PipelineTest;

TEST_F(PipelineProblems, ForeignNamesOfModels) {
  EXPECT_EQ(problems(with_line(5, "    model: {family: gpt2, n_layer: 1, n_head: 2, n_embd: 8, block_size: 8}")),
            "5:27: unknown key \"n_layer\" in a model: here it is \"layers\"\n"
            "5:39: unknown key \"n_head\" in a model: here it is \"heads\"\n"
            "5:50: unknown key \"n_embd\" in a model: here it is \"channels\"\n"
            "5:61: unknown key \"block_size\" in a model: here it is \"context\"");
}

TEST_F(PipelineProblems, ModelFromALaterStage) {
  EXPECT_EQ(
      problems(with_line(5, "    model: {from: later}") +
               "  - {name: later, strategy: pretrain, model: {from: base}, data: {train: {text: a.txt}}, steps: 1}\n"),
      "5:19: \"later\" is a later stage: stages run in order, there is none before this one");
}

TEST_F(PipelineProblems, ModelFromItself) {
  EXPECT_EQ(problems(with_line(5, "    model: {from: base}")),
            "5:19: \"base\" is this stage itself: stages run in order, there is none before this one");
}

TEST_F(PipelineProblems, ModelFromNowhere) {
  EXPECT_EQ(
      problems(right +
               "  - {name: b, strategy: pretrain, model: {from: bsae}, data: {train: {text: a.txt}}, steps: 1}\n"),
      "8:49: \"bsae\" is neither an earlier stage (before this one: base) nor a folder (looked for bsae); did you mean "
      "\"base\"?");
}

TEST_F(PipelineProblems, ModelFromAFolderWithoutOne) {
  EXPECT_EQ(problems(with_line(5, "    model: {from: data}")),
            "5:19: data: has no model: expected config.json in it, or in a model/ inside it");
  EXPECT_EQ(problems(with_line(5, "    model: {from: trained}")), "");
  EXPECT_EQ(problems(with_line(5, "    model: {from: trained/model}")), "");
}

TEST_F(PipelineProblems, ModelFromAnAdapterWithoutItsBase) {
  fs::create_directories(folder_ / "tuned" / "adapter");
  write_file(folder_ / "tuned/adapter/adapter_config.json", "{\"base_model_name_or_path\": \"../../trained/model\"}");
  EXPECT_EQ(problems(with_line(5, "    model: {from: tuned}")), "");
  fs::remove_all(folder_ / "trained");
  EXPECT_EQ(problems(with_line(5, "    model: {from: tuned}")),
            "5:19: tuned/adapter/adapter_config.json: the base model \"../../trained/model\" is not there; give its "
            "folder with --model, and this one with --adapter");
}

TEST_F(PipelineProblems, ModelFromRows) {
  EXPECT_EQ(
      problems(right + "  - {name: s, strategy: sample, model: {from: base}, data: {prompts: {jsonl: p.jsonl}}}\n"
                       "  - {name: b, strategy: pretrain, model: {from: s}, data: {train: {from: base}}, steps: 1}\n"),
      "9:49: stage \"s\" leaves rows, but a model is needed here: strategy \"sample\" trains nothing\n"
      "9:74: stage \"base\" leaves a model, but rows are needed here: strategy \"pretrain\" writes none");
}

TEST_F(PipelineProblems, MergedIsAModelWithAnAdapterThatCanBe) {
  const auto then = [](const std::string& name, const std::string& model) {
    return "  - {name: " + name + ", strategy: pretrain, model: " + model +
           ", data: {train: {text: a.txt}}, steps: 1}\n";
  };
  const std::string merged = then("b", "{from: base, merged: true}"), low_rank = "    adapter: low_rank\n";
  EXPECT_EQ(problems(right + low_rank + merged), "");
  EXPECT_EQ(problems(right + merged), "8:55: base has no adapter that could be merged: leave \"merged\" out");
  EXPECT_EQ(problems(right + "    adapter: in_front\n" + merged),
            "9:55: adapter \"in_front\" cannot be merged: it puts vectors in front of the text; leave \"merged\" out");
  EXPECT_EQ(problems(right + low_rank + "    ensemble: 2\n" + merged),
            "10:55: stage \"base\" leaves an ensemble, and no one model has all of its adapters");
  // By way of another stage, which hands it on, or has merged it.
  const std::string again = then("c", "{from: b, merged: true}");
  EXPECT_EQ(problems(right + low_rank + then("b", "{from: base}") + again), "");
  EXPECT_EQ(problems(right + low_rank + merged + again),
            "10:52: b has no adapter that could be merged: leave \"merged\" out");
  EXPECT_EQ(
      problems(right + low_rank + then("b", "{from: base, merged: true}, adapter: {low_rank: {}, from: base}")),
      "9:55: adapter \"low_rank\" starts as the one that is merged, which would act twice: leave one of the two out");
  EXPECT_EQ(problems(with_line(5, "    model: {from: trained, merged: true}")),
            "5:28: trained has no adapter that could be merged: leave \"merged\" out");
  EXPECT_EQ(
      problems(with_line(5, "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8, merged: true}")),
      "5:73: \"merged\" is of a model that is taken: write {from: STAGE or DIR, merged: true}");
}

TEST_F(PipelineProblems, ModelHasToBeThere) {
  EXPECT_EQ(problems(with_line(5, "")),
            "3:5: stage \"base\" has no \"model\": write {family: …} with sizes, or {from: STAGE or DIR}");
}

TEST_F(PipelineProblems, ModelIsAMap) {
  EXPECT_EQ(problems(with_line(5, "    model: gpt2")),
            "5:12: \"model\" should be a map, {from: STAGE or FOLDER} or {family: …} with sizes, got \"gpt2\"");
}

TEST_F(PipelineProblems, ModelSizes) {
  EXPECT_EQ(problems(with_line(5,
                               "    model: {family: gtp2, layers: 1, heads: 4, kv_heads: 3, channels: 8, dropout: 1, "
                               "head: {clasify: {labels: [a, b]}}}")),
            "5:12: a new model also needs context\n"
            "5:21: \"model.family\" should be one of gpt2, gpt_neo, gpt_neox, opt, llama, mistral, mixtral, qwen2, "
            "qwen2_moe, qwen3, qwen3_moe, gemma2, gemma3, olmo2, olmo3, olmoe, phi3, granite, starcoder2, smollm3, got "
            "\"gtp2\"; did you mean \"gpt2\"?\n"
            "5:58: 4 heads cannot share 3 kv_heads: heads should be a multiple of kv_heads\n"
            "5:83: \"model.dropout\" is 1, should be at least 0 and below 1\n"
            "5:93: head \"clasify\" is not known; did you mean \"classify\"?");
}

TEST_F(PipelineProblems, ExpertsOfAModel) {
  const auto model = [&](const std::string& given) {
    return problems(with_line(5, "    model: {family: " + given + ", layers: 1, heads: 2, channels: 8, context: 8}"));
  };
  EXPECT_EQ(model("olmoe"), "");
  EXPECT_EQ(model("qwen2_moe, experts: 4, experts_per_token: 1, expert_hidden: 8, shared_hidden: 8, balance: 0"), "");
  EXPECT_EQ(model("llama, experts: 4, balance: 0.1"),
            "5:28: family \"llama\" has no experts, only mixtral, qwen2_moe, qwen3_moe, olmoe have: leave \"experts\" "
            "out\n"
            "5:40: family \"llama\" has no experts, only mixtral, qwen2_moe, qwen3_moe, olmoe have: leave \"balance\" "
            "out");
  EXPECT_EQ(model("olmoe, hidden: 8"),
            "5:28: every layer of a new \"olmoe\" has experts: here it is \"expert_hidden\", the width of one");
  EXPECT_EQ(model("olmoe, shared_hidden: 8"), "5:28: family \"olmoe\" has no shared expert: leave this out");
  EXPECT_EQ(model("olmoe, experts: 2, experts_per_token: 3"),
            "5:59: a token cannot have 3 of 2 experts: write at most as many as there are");
  EXPECT_EQ(model("olmoe, num_experts: 2"), "5:28: unknown key \"num_experts\" in a model: here it is \"experts\"");
}

TEST_F(PipelineProblems, HeadsOfAModel) {
  const auto head = [&](const std::string& given) {
    return problems(
        with_line(5, "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8, head: " + given + "}"));
  };
  EXPECT_EQ(head("scalar"), "");
  EXPECT_EQ(head("{classify: {labels: [a, b]}}"), "");
  EXPECT_THAT(head("classify"), testing::HasSubstr("needs labels: head: {classify: {labels: [negative, positive]}}"));
  EXPECT_THAT(head("{classify: {labels: [a]}}"), testing::HasSubstr("at least 2 labels are needed, there are 1"));
  EXPECT_THAT(head("{classify: {labels: [a, a]}}"), testing::HasSubstr("a label is given twice"));
  EXPECT_THAT(head("{classify: {label: [a, b]}}"), testing::HasSubstr("unknown key \"label\""));
}

}  // namespace
}  // namespace rgm::fake
