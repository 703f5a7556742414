// tokenizer_problems_test.cpp - tokenizers that are not there or not wanted, and tokens that cannot be added.
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using PipelineProblems = PipelineTest;

TEST_F(PipelineProblems, TokensAreAddedToAModelThatIsTaken) {
  const auto of = [&](const std::string& tokens) {
    return problems(with_line(5, "    model: {from: trained, add_tokens: " + tokens + "}"));
  };
  EXPECT_EQ(of("[\"<|im_start|>\", \"<|im_end|>\"]"), "");
  EXPECT_EQ(of("<end>"), "");
  EXPECT_EQ(of("[]"), "5:40: no token is named: write add_tokens: [\"<|im_start|>\", \"<|im_end|>\"], or leave it out");
  EXPECT_EQ(of("[\"\", <a>, <b>, <a>]"),
            "5:40: a token without text cannot be added\n"
            "5:40: the token \"<a>\" is given twice");
  EXPECT_EQ(of("[[<a>]]"), "5:41: \"model.add_tokens[0]\" should be text, got a list");
  EXPECT_EQ(problems(with_line(
                5, "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8, add_tokens: [<a>]}")),
            "5:73: \"add_tokens\" is of a model that is taken: write {from: STAGE or DIR, add_tokens: […]}");
  EXPECT_EQ(
      problems(right + "  - {name: s, strategy: sample, model: {from: base, add_tokens: [<a>]}, data: {prompts: "
                       "{jsonl: p.jsonl}}}\n"),
      "8:53: strategy \"sample\" trains nothing, and a new token means nothing before it was trained: add it in a "
      "stage that trains, and take the model from there");
}

TEST_F(PipelineProblems, ForeignNamesOfTokens) {
  EXPECT_EQ(problems(with_line(5, "    model: {from: trained, additional_special_tokens: [<a>]}")),
            "5:28: unknown key \"additional_special_tokens\" in a model: here it is \"add_tokens\"");
  EXPECT_EQ(problems(right + "    special_tokens: [<a>]\n    modules_to_save: [embed_tokens]\n"),
            "8:5: unknown key \"special_tokens\" in a stage: write model: {from: …, add_tokens: […]}\n"
            "9:5: unknown key \"modules_to_save\" in a stage: write trainable: {names: [embedding.weight, "
            "head.weight]} beside the adapter");
}

TEST_F(PipelineProblems, TokenizerOfATakenModel) {
  EXPECT_EQ(problems(right + "  - {name: b, strategy: pretrain, model: {from: base}, tokenizer: bytes, data: {train: "
                             "{text: a.txt}}, steps: 1}\n"),
            "8:56: a model taken from elsewhere already has its tokenizer: leave this out; special tokens are added to "
            "it with model: {from: …, add_tokens: […]}");
}

TEST_F(PipelineProblems, Tokenizers) {
  EXPECT_EQ(problems(right + "    tokenizer: charcters\n"),
            "8:16: tokenizer \"charcters\" is not known; did you mean \"characters\"?");
}

TEST_F(PipelineProblems, TokenizerSizes) {
  EXPECT_EQ(problems(right + "    tokenizer: {bpe: {vocabulary: 100}}\n"),
            "8:35: \"tokenizer.bpe.vocabulary\" is 100, should be 257 to 10000000");
}

TEST_F(PipelineProblems, TokenizerFolders) {
  EXPECT_EQ(problems(right + "    tokenizer: {from: none}\n"),
            "8:23: there is no none: expected a folder with tokenizer.json, relative to the pipeline");
}

TEST_F(PipelineProblems, TokenizerFoldersWithoutOne) {
  EXPECT_EQ(problems(right + "    tokenizer: {from: data}\n"),
            "8:23: data has neither a tokenizer.json nor a tokenizer.model in it");
}

}  // namespace
}  // namespace rgm::fake
