// add_tokens_test.cpp - a model that is given further tokens: where their rows lie, and what is in them.
#include <unistd.h>

#include "base/json.hpp"
#include "model/small.hpp"

namespace rgm::test {
namespace {

using Names = std::vector<std::string>;

// Every number of row i is i: the mean of the rows 0 to 256 is 128.
void number_rows(Model& model) {
  const NoGradient no_gradient;
  for (const char* const name : {"embedding.weight", "head.weight"}) {
    Parameter* const p = model.parameters().find(name);
    if (!p) continue;
    std::vector<float> rows;
    for (int64_t i = 0; i < p->value.count(); ++i) rows.push_back(static_cast<float>(i / p->value.size(1)));
    assign(p->value, from_host(std::span<const float>(rows), p->value.shape()));
  }
}

// The first number of each row from `begin` on, where all of a row are the same.
std::vector<float> rows_from(const Model& model, const char* name, int64_t begin) {
  const Tensor& x = model.parameters().find(name)->value;
  const std::vector<float> all = to_host(x);
  std::vector<float> out;
  for (int64_t i = begin; i < x.size(0); ++i) {
    const auto row = std::span(all).subspan(static_cast<size_t>(i * x.size(1)), static_cast<size_t>(x.size(1)));
    EXPECT_THAT(row, testing::Each(row[0])) << "row " << i;
    out.push_back(row[0]);
  }
  return out;
}

class ModelTokens : public TensorTest {};

TEST_F(ModelTokens, NewRowsAreTheMeanOfThoseBefore) {
  for (const char* const id : {"gpt2", "llama"}) {
    SCOPED_TRACE(id);
    const auto model = small_model(id);
    number_rows(*model);
    model->parameters().set_trained(*model->parameters().find("norm.weight"), false);
    model->add_tokens(Names{"<user>", "<end>"});
    EXPECT_EQ(model->config().vocabulary, 259);
    EXPECT_EQ(model->tokenizer()->specials().at("<end>"), 258);
    EXPECT_THAT(model->new_tokens(), testing::ElementsAre("<user>", "<end>"));
    EXPECT_THAT(rows_from(*model, "embedding.weight", 255), testing::ElementsAre(255, 256, 128, 128));
    EXPECT_EQ(model->parameters().find("head.weight") != nullptr, !model->config().is_tied());
    if (!model->config().is_tied()) {
      EXPECT_THAT(rows_from(*model, "head.weight", 255), testing::ElementsAre(255, 256, 128, 128));
    }
    EXPECT_TRUE(model->parameters().find("embedding.weight")->trained);
    EXPECT_FALSE(model->parameters().find("norm.weight")->trained);
    EXPECT_EQ(model->sites()[model->embedding_site()].in, 259);
  }
}

// A new token's logit is the mean of all others, which stay what they were.
TEST_F(ModelTokens, OtherLogitsStay) {
  const NoGradient no_gradient;
  const auto model = small_model();
  const Pass pass = pass_over(tokens_of({some_tokens(6, 1)}));
  const std::vector<float> before = to_host(model->forward(pass, RGM_LOGITS)[0]);
  model->add_tokens(Names{"<end>"});
  const Tensor logits = model->forward(pass, RGM_LOGITS)[0];
  ASSERT_EQ(logits.shape(), (Shape{1, 6, 258}));
  expect_near(to_host(ops::contiguous(ops::slice(logits, 2, 0, 257))), before, 1e-6);
  double sum = 0;
  for (int i = 0; i < 257; ++i) sum += before[static_cast<size_t>(i)];
  EXPECT_NEAR(to_host(logits)[257], sum / 257, 1e-4);
}

TEST_F(ModelTokens, SpareRowsAreTakenFirst) {
  ModelConfig config = small_config();
  config.vocabulary = 260;
  const auto model = Model::create(config, byte_tokenizer(), 7);
  number_rows(*model);
  model->add_tokens(Names{"<user>", "<end>"});
  EXPECT_EQ(model->config().vocabulary, 260);
  EXPECT_THAT(rows_from(*model, "embedding.weight", 256), testing::ElementsAre(256, 128, 128, 259));
  model->add_tokens(Names{"<x>", "<end>", "<y>"});
  EXPECT_EQ(model->config().vocabulary, 261);
  EXPECT_THAT(rows_from(*model, "embedding.weight", 256), testing::ElementsAre(256, 128, 128, 128, 128));
}

TEST_F(ModelTokens, NamesThatAreKnownChangeNothing) {
  const auto model = small_model();
  const std::string before = model->parameters().sha256();
  model->add_tokens(Names{"<|endoftext|>"});
  EXPECT_EQ(model->parameters().sha256(), before);
  EXPECT_TRUE(model->new_tokens().empty());
}

TEST_F(ModelTokens, FrozenRowsKeepTheirType) {
  const auto model = Model::create(small_config("llama"), byte_tokenizer(), 7, NarrowWeights::all());
  number_rows(*model);  // up to 256 a bfloat16 has every whole number
  model->add_tokens(Names{"<end>"});
  EXPECT_EQ(model->parameters().find("embedding.weight")->value.dtype(), RGM_BF16);
  EXPECT_FALSE(model->parameters().find("embedding.weight")->trained);
  EXPECT_THAT(rows_from(*model, "head.weight", 256), testing::ElementsAre(256, 128));
}

TEST_F(ModelTokens, TheFolderSaysHowManyThereAre) {
  const fs::path folder = fs::temp_directory_path() / ("regimen-tokens-" + std::to_string(getpid()));
  fs::create_directories(folder);
  for (const char* const id : {"gpt2", "llama"}) {
    const auto model = small_model(id);
    model->add_tokens(Names{"<end>"});
    model->save(folder);
    EXPECT_EQ(parse_json(read_file(folder / "config.json"))["vocab_size"], 258);
    const auto again = Model::open(folder);
    EXPECT_EQ(again->parameters().sha256(), model->parameters().sha256());
    EXPECT_EQ(again->tokenizer()->specials().at("<end>"), 257);
    EXPECT_TRUE(again->new_tokens().empty());
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace rgm::test
