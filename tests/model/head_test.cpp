// head_test.cpp - a head of the model's own: its scores, what is saved of it, and what transformers will read.
#include <unistd.h>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "model/small.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

class Heads : public TensorTest {
 protected:
  Heads() { fs::create_directories(folder); }
  ~Heads() override { fs::remove_all(folder); }
  nlohmann::json config() const { return parse_json(read_file(folder / "config.json")); }
  fs::path folder = fs::temp_directory_path() / ("regimen-head-" + std::to_string(getpid()));
  Pass pass = pass_over(tokens_of({some_tokens(6, 1), some_tokens(6, 2)}));
};

TEST_F(Heads, TheScoresOfATokenAreItsStateTimesTheHead) {
  const auto model = small_model();
  model->add_head(3, {"a", "b", "c"}, 5);
  const NoGradient no_gradient;
  const auto out = model->forward(pass, RGM_HIDDEN | RGM_HEAD);
  ASSERT_EQ(out[1].shape(), (Shape{2, 6, 3}));
  const auto states = to_host(out[0]), scores = to_host(out[1]),
             weight = to_host(model->parameters().find("score.weight")->value);
  double sum = 0;  // of the last token of row 1, label 2
  for (size_t c = 0; c < 16; ++c) sum += double(states[(6 + 5) * 16 + c]) * weight[2 * 16 + c];
  EXPECT_NEAR(scores[(6 + 5) * 3 + 2], sum, 1e-5);
}

TEST_F(Heads, AModelWithoutOneHasNoScores) { EXPECT_THROW(small_model()->forward(pass, RGM_HEAD), Error); }

TEST_F(Heads, ItsFolderIsAClassifierOfTransformersAndIsOpenedAgain) {
  for (const std::string& id : family_ids()) {
    SCOPED_TRACE(id);
    const auto model = small_model(id.c_str());
    model->add_head(2, {"negative", "positive"}, 5);
    const std::string hash = model->save(folder);
    const std::string architecture = config()["architectures"][0];
    EXPECT_TRUE(architecture.ends_with("ForSequenceClassification")) << architecture;
    EXPECT_EQ(config()["id2label"], nlohmann::json({{"0", "negative"}, {"1", "positive"}}));
    EXPECT_EQ(config()["label2id"]["positive"], 1);
    EXPECT_EQ(config()["pad_token_id"], 256);
    const SafeTensors file(folder / "model.safetensors");
    ASSERT_NE(file.find("score.weight"), nullptr);
    EXPECT_EQ(file.find("score.weight")->shape, (std::vector<int64_t>{2, 16}));
    EXPECT_EQ(file.find("lm_head.weight"), nullptr);

    const auto again = Model::open(folder);
    EXPECT_EQ(again->config().labels, (std::vector<std::string>{"negative", "positive"}));
    EXPECT_EQ(again->save(folder), hash);
    const NoGradient no_gradient;
    EXPECT_EQ(to_host(again->forward(pass, RGM_HEAD)[0]), to_host(model->forward(pass, RGM_HEAD)[0]));
  }
}

// Where transformers finds this token it stops reading a row: the base's own, the tokenizer's, or the first that ends.
TEST_F(Heads, ThePadIsWhatRowsArePaddedWith) {
  const auto pad = [&](const nlohmann::json& others, const TokenizerPtr& tokenizer) {
    ModelConfig c = small_config();
    c.others = others;
    const auto model = Model::create(c, tokenizer, 7);
    model->add_head(2, {"negative", "positive"}, 5);
    model->save(folder);
    return config()["pad_token_id"];
  };
  const nlohmann::json two_ends = {7, 8};
  EXPECT_EQ(pad({{"pad_token_id", 3}, {"eos_token_id", two_ends}}, byte_tokenizer()), 3);
  EXPECT_EQ(pad({{"pad_token_id", nullptr}, {"eos_token_id", two_ends}}, byte_tokenizer()), 256);  // <|endoftext|>
  EXPECT_EQ(pad({{"eos_token_id", two_ends}}, nullptr), 7);
  EXPECT_EQ(pad({{"eos_token_id", 9}}, character_tokenizer("abc")), 9);  // which has no such token
  EXPECT_EQ(pad({}, nullptr), nullptr);
  EXPECT_EQ(config()["eos_token_id"], nullptr);
}

TEST_F(Heads, ANumberIsARegressionOfTransformers) {
  const auto model = small_model();
  model->add_head(1, {}, 5);
  model->save(folder);
  EXPECT_EQ(config()["problem_type"], "regression");
  EXPECT_EQ(config()["id2label"].size(), 1);
  const auto again = Model::open(folder);
  EXPECT_EQ(again->config().outputs, 1);
  EXPECT_TRUE(again->config().labels.empty());
}

TEST_F(Heads, AClassifierWhoseHeadOverTokensWasItsOwnWritesNoText) {
  const auto model = small_model("llama");
  EXPECT_NE(model->parameters().find("head.weight"), nullptr);
  model->add_head(2, {"no", "yes"}, 5);
  EXPECT_EQ(model->parameters().find("head.weight"), nullptr);
  try {
    model->forward(pass, RGM_LOGITS);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("classifier"));
  }
}

TEST_F(Heads, LabelsWithAHoleAreRefused) {
  const auto model = small_model();
  model->add_head(2, {"no", "yes"}, 5);
  model->save(folder);
  auto json = config();
  json["id2label"] = {{"0", "no"}, {"2", "yes"}};
  write_file(folder / "config.json", json.dump());
  try {
    Model::open(folder);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("config.json: \"id2label\" has 2 labels and no text for \"1\""));
  }
}

TEST_F(Heads, LabelsThatDoNotExcludeEachOtherAreRefused) {
  const auto model = small_model();
  model->add_head(2, {"no", "yes"}, 5);
  model->save(folder);
  auto json = config();
  json["problem_type"] = "multi_label_classification";
  write_file(folder / "config.json", json.dump());
  try {
    Model::open(folder);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("config.json: \"problem_type\" is \"multi_label_classification\", which is not "
                                    "supported, only single_label_classification and regression"));
  }
}

TEST_F(Heads, TheGradientReachesTheHeadAlone) {
  const auto model = small_model();
  model->add_head(2, {"no", "yes"}, 5);
  for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, p.name == "score.weight");
  const Tensor scores = model->forward(pass, RGM_HEAD)[0];
  backward(ops::reduce(RGM_SUM, ~0u, scores));
  for (const Parameter& p : model->parameters().all())
    EXPECT_EQ(bool(p.value.gradient()), p.name == "score.weight") << p.name;
}

}  // namespace
}  // namespace rgm::test
