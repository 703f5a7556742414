// head_reward_test.cpp - the head of a classifier as a reward: its number, and what of an answer it reads.
#include "methods/method.hpp"

namespace rgm::test {
namespace {

class HeadRewards : public TensorTest {
 protected:
  using Ids = std::vector<int32_t>;
  static constexpr int32_t end = 256;  // of a text, of the byte tokenizer
  static Ids bytes(const std::string& text, const Ids& more = {}) {
    Ids out(text.begin(), text.end());
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }

  static std::shared_ptr<Model> classifier(int64_t outputs) {
    const auto model = small_model("gpt2", 9);
    model->add_head(outputs, {}, 11);
    return model;
  }
  // Answers behind the prompt "ab".
  static Batch answers(const std::vector<Ids>& ids, const Ids& finished = {}) {
    std::vector<TokenExample> examples;
    for (const Ids& own : ids) {
      examples.push_back({bytes("ab", own), std::vector<float>(own.size() + 2, 1.0F)});
      examples.back().weights[0] = examples.back().weights[1] = 0;
    }
    Batch out;
    out.examples = std::ssize(ids);
    out.columns["completion"] = pack(examples, 24);
    if (!finished.empty()) set_integers(out, "finished", finished);
    return out;
  }
  // What the head says of the last token of a text, alone in its row.
  static std::vector<float> outputs_of(const Model& model, const Ids& text) {
    const NoGradient still;
    const auto all = to_host(model.forward(pass_over(tokens_of({text})), RGM_HEAD)[0]);
    return {all.end() - model.config().outputs, all.end()};
  }
  // The tokens that the head reads of the one answer.
  Ids read(const HeadReward& head, const Ids& answer, int32_t finished = 1, int64_t context = 24) const {
    const Batch seen = as_head_reads(head, answers({answer}, {finished}), *policy_, context);
    const BatchColumn& tokens = seen.columns.at("completion");
    Ids out;
    for (size_t i = 0; i < tokens.integers.size(); ++i)
      if (tokens.segments[i] == 1) out.push_back(tokens.integers[i]);
    return out;
  }

  std::shared_ptr<Model> policy_ = small_model();
};

// With outputs x of three labels: x_1 - log(e^x_0 + e^x_2).
TEST_F(HeadRewards, TheScoreIsTheLogOddsOfTheLabel) {
  const NoGradient still;
  const auto model = classifier(3);
  const std::vector<float> scores =
      head_scores({.label = 1}, *model, answers({bytes("cde"), bytes("fg"), bytes("hijkl")}));
  ASSERT_EQ(scores.size(), 3U);
  size_t e = 0;
  for (const char* text : {"abcde", "abfg", "abhijkl"}) {
    const std::vector<float> x = outputs_of(*model, bytes(text));
    const double all = std::exp(double(x[0])) + std::exp(double(x[1])) + std::exp(double(x[2]));
    const double p = std::exp(double(x[1])) / all;
    EXPECT_NEAR(scores[e++], std::log(p) - std::log(1 - p), 1e-4) << text;
  }
}

TEST_F(HeadRewards, OfTwoLabelsTheOddsAreOpposite) {
  const NoGradient still;
  const auto model = classifier(2);
  const float first = head_scores({.label = 0}, *model, answers({bytes("cde")}))[0],
              second = head_scores({.label = 1}, *model, answers({bytes("cde")}))[0];
  const std::vector<float> x = outputs_of(*model, bytes("abcde"));
  EXPECT_NEAR(second, x[1] - x[0], 1e-5);
  EXPECT_EQ(first, -second);
}

TEST_F(HeadRewards, OddsThatAreFarApartStayNumbers) {
  const NoGradient still;
  const auto model = classifier(2);
  assign(model->parameters().find("score.weight")->value, 1e4 * model->parameters().find("score.weight")->value);
  const std::vector<float> x = outputs_of(*model, bytes("abcde"));
  ASSERT_GT(std::abs(x[0] - x[1]), 200) << "both e^x and 1 - p are out of a float's reach";
  EXPECT_NEAR(head_scores({.label = 0}, *model, answers({bytes("cde")}))[0], x[0] - x[1], 1e-2);
}

TEST_F(HeadRewards, OneNumberIsTheScore) {
  const NoGradient still;
  const auto model = classifier(1);
  const std::vector<float> scores = head_scores({}, *model, answers({bytes("cde"), bytes("fg")}));
  EXPECT_NEAR(scores[0], outputs_of(*model, bytes("abcde"))[0], 1e-5);
  EXPECT_NEAR(scores[1], outputs_of(*model, bytes("abfg"))[0], 1e-5);
}

TEST_F(HeadRewards, BothAnswersOfAPairAreScoredOneAfterTheOther) {
  const NoGradient still;
  const auto model = classifier(1);
  Batch pairs;
  set_tokens(pairs, "chosen", {{"ab", "c"}, {"ab", "d"}});
  set_tokens(pairs, "rejected", {{"ab", "e"}, {"ab", "f"}});
  const std::vector<float> scores = head_scores({}, *model, std::move(pairs));
  ASSERT_EQ(scores.size(), 4U);
  size_t e = 0;
  for (const char* text : {"abc", "abd", "abe", "abf"})
    EXPECT_NEAR(scores[e++], outputs_of(*model, bytes(text))[0], 1e-5) << text;
}

TEST_F(HeadRewards, ATextIsReadWithoutItsEnd) {
  EXPECT_EQ(read({}, bytes("cd", {end})), bytes("abcd"));
  EXPECT_EQ(read({}, bytes("cd")), bytes("abcd")) << "one that a stop text ended";
  EXPECT_EQ(read({}, Ids{end}), bytes("ab")) << "an empty answer is its prompt";
  EXPECT_EQ(read({}, bytes("cd"), 0), bytes("abcd"));
}

TEST_F(HeadRewards, AWholeAnswerIsReadWithItsEnd) {
  const HeadReward whole{.reads_end = true};
  EXPECT_EQ(read(whole, bytes("cd", {end})), bytes("abcd", {end}));
  EXPECT_EQ(read(whole, bytes("cd")), bytes("abcd", {end}));
  EXPECT_EQ(read(whole, bytes("cd"), 0), bytes("abcd")) << "it has not ended";
  EXPECT_EQ(read(whole, bytes("cd"), 1, 4), bytes("abcd")) << "there is no room for it";
}

// transformers takes the last token that is no padding.
TEST_F(HeadRewards, AnEndThatIsThePaddingIsNotRead) {
  EXPECT_EQ(read({.reads_end = true, .pad = end}, bytes("cd", {end})), bytes("abcd"));
  EXPECT_EQ(read({.reads_end = true, .pad = 7}, bytes("cd", {end})), bytes("abcd", {end}));
}

// As chatml writes a line break behind the end of a turn.
TEST_F(HeadRewards, ATurnEndsAsItsTemplateEndsIt) {
  const Ids turn_end = {end, '\n'};
  const HeadReward chats{.reads_end = true, .ending = turn_end}, other{.reads_end = true, .ending = {'d', '\n'}};
  EXPECT_EQ(read(chats, bytes("cd", {end})), bytes("abcd", turn_end));
  EXPECT_EQ(read(chats, bytes("cd"), 0), bytes("abcd")) << "it has not ended";
  EXPECT_EQ(read(chats, bytes("cd", {end}), 1, 5), bytes("abcd", {end})) << "there is no room for it";
  EXPECT_EQ(read(other, bytes("cd"), 0), bytes("abcd")) << "what ends no text ends no turn";
}

TEST_F(HeadRewards, SeveralAreAddedUpWithTheirWeights) {
  const auto model = classifier(2);
  rgm_train train;
  train.stage = "test";
  train.policy = policy_;
  train.context = 24;
  for (const auto& [label, weight] : {std::pair{0, 3.0}, {1, 1.0}}) {
    Reward& reward = train.rewards.emplace_back();
    reward.id = reward.name = reward.label = "classifier";
    reward.model = model;
    reward.weight = weight;
    reward.head = HeadReward{.label = label};
  }
  Batch batch = answers({bytes("cd", {end})});
  train.begin_step({&batch});
  const std::vector<float> x = outputs_of(*model, bytes("abcd"));
  EXPECT_NEAR(to_host(score(train, batch))[0], 2 * (x[0] - x[1]), 1e-4);
  EXPECT_NEAR(to_host(score_of(train, &batch, "classifier"))[0], x[0] - x[1], 1e-5);
  EXPECT_NEAR(item(train.metrics.at("reward_classifier").sum), x[0] - x[1], 1e-5);
  EXPECT_NEAR(item(train.metrics.at("reward_classifier_2").sum), x[1] - x[0], 1e-5);
}

}  // namespace
}  // namespace rgm::test
