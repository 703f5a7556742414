// learned_reward_test.cpp - pairwise, ranking and regression on scores of the test's choice, in float64.
#include "methods/method.hpp"

namespace rgm::test {
namespace {

class LearnedReward : public TensorTest {
 protected:
  static double loss(const std::string& id, const std::string& yaml, Batch& batch, const std::vector<float>& scores) {
    const Component& c = component(RGM_KIND_REWARD, id);
    const auto& table = c.table<rgm_reward>();
    const auto config = options_of(c, yaml);
    rgm_train train;
    for (const rgm_column* const* w = table.columns; *w; ++w)
      train.wishes.push_back({(*w)->name, (*w)->kind, (*w)->flags});
    train.begin_step({&batch});
    void* self = nullptr;
    check_status(table.create(config.get(), &self));
    rgm_tensor* out = nullptr;
    const Tensor x = from_host(std::span<const float>(scores), {int64_t(scores.size())});
    const rgm_status status = table.loss(self, &train, &batch, x.get(), &out);
    table.destroy(self);
    check_status(status);
    return double(item(Tensor::adopt(out)));
  }
  static Batch ranked(const std::vector<int32_t>& group, const std::vector<int32_t>& rank) {
    Batch batch;
    set_tokens(batch, "completion", std::vector<Text>(group.size(), {"", "ab"}));
    set_integers(batch, "group", group);
    set_integers(batch, "rank", rank);
    return batch;
  }
};

TEST_F(LearnedReward, RankingIsTheRecordedLoss) {
  const auto& x = recorded("ranking");
  Batch batch = ranked(x["group"], x["rank"]);
  EXPECT_NEAR(loss("ranking", "{}", batch, x["scores"]), x["loss"].get<double>(), 1e-6);
}

TEST_F(LearnedReward, ATieThatCountsPullsScoresTogether) {
  Batch tied = ranked({0, 0}, {1, 1});
  EXPECT_EQ(loss("ranking", "{}", tied, {2, -1}), 0);
  EXPECT_NEAR(loss("ranking", "{ties: equal}", tied, {2, -1}), -(log_sigmoid(3) + log_sigmoid(-3)) / 2, 1e-6);
  // C > B = D > A: six pairs, of which one is a tie.
  Batch four = ranked({7, 7, 7, 7}, {3, 2, 1, 2});
  const std::vector<float> r = {0.5, -0.25, 1, 2};
  double better = 0;
  for (const auto& [i, j] : {std::pair{2, 0}, {2, 1}, {2, 3}, {1, 0}, {3, 0}})
    better -= log_sigmoid(r[size_t(i)] - r[size_t(j)]);
  const double tie = -(log_sigmoid(2.25) + log_sigmoid(-2.25)) / 2;
  EXPECT_NEAR(loss("ranking", "{}", four, r), better / 5, 1e-6);
  EXPECT_NEAR(loss("ranking", "{ties: equal}", four, r), (better + tie) / 6, 1e-6);
}

TEST_F(LearnedReward, PlackettLuceChoosesTheBestOfWhatIsLeft) {
  Batch batch = ranked({0, 0, 0, 4, 4}, {2, 1, 3, 1, 1});
  const std::vector<float> r = {0.5, 1.5, -1, 3, 1};
  const auto log_sum = [&](std::initializer_list<size_t> of) {
    double sum = 0;
    for (const size_t i : of) sum += std::exp(double(r[i]));
    return std::log(sum);
  };
  const double order = log_sum({0, 1, 2}) - 1.5 + log_sum({0, 2}) - 0.5;
  EXPECT_NEAR(loss("ranking", "{loss: plackett_luce}", batch, r), order / 2, 1e-6);
  const double tie = 2 * log_sum({3, 4}) - 3 - 1;
  EXPECT_NEAR(loss("ranking", "{loss: plackett_luce, ties: equal}", batch, r), (order + tie) / 2, 1e-6);
}

TEST_F(LearnedReward, PairsHaveAMarginAndACentre) {
  Batch batch;
  set_tokens(batch, "chosen", {{"", "ab"}, {"", "cd"}});
  set_tokens(batch, "rejected", {{"", "xx"}, {"", "yy"}});
  const std::vector<float> r = {1, -0.5, 0.25, 0.75};  // both chosen, both rejected
  EXPECT_NEAR(loss("pairwise", "{}", batch, r), -(log_sigmoid(0.75) + log_sigmoid(-1.25)) / 2, 1e-6);
  const double centre = (std::pow(1.25, 2) + std::pow(0.25, 2)) / 2;
  EXPECT_NEAR(loss("pairwise", "{center: 0.01}", batch, r),
              -(log_sigmoid(0.75) + log_sigmoid(-1.25)) / 2 + 0.01 * centre, 1e-6);
  set_reals(batch, "margin", {0.5, 1});
  EXPECT_NEAR(loss("pairwise", "{}", batch, r), -(log_sigmoid(0.25) + log_sigmoid(-2.25)) / 2, 1e-6);
}

TEST_F(LearnedReward, RatingsAreNumbersOrOdds) {
  Batch batch;
  set_tokens(batch, "completion", {{"", "ab"}, {"", "cd"}});
  set_reals(batch, "value", {1, 0});
  EXPECT_NEAR(loss("regression", "{}", batch, {0.5, -2}), (0.25 + 4) / 2, 1e-6);
  EXPECT_NEAR(loss("regression", "{loss: logistic}", batch, {0.5, -2}), -(log_sigmoid(0.5) + log_sigmoid(2)) / 2, 1e-6);
}

}  // namespace
}  // namespace rgm::test
