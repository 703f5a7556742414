// report_card_test.cpp - what a reward's report card says of three pairs whose scores are known, and how members of an
// ensemble vote.
#include "methods/learned.hpp"

namespace rgm::test {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

class ReportCard : public TensorTest {
 protected:
  // Three pairs; in two the better answer is the longer one.
  static Batch pairs() {
    Batch batch;
    set_tokens(batch, "chosen", {{"q", "long one"}, {"q", "ab"}, {"q", "a longer"}});
    set_tokens(batch, "rejected", {{"q", "short"}, {"q", "abcd"}, {"q", "x"}});
    return batch;
  }
  static nlohmann::json card(Method& method, Batch& batch) {
    evaluate(method, batch);
    return method.train.report.at("report_card");
  }
};

// Gaps of 2, -0.5 and 0.2: two of three are right, and the three are sure in different degrees.
TEST_F(ReportCard, CountsPairsThatAreRightAndHowSureTheyWere) {
  Method method("reward_modeling");
  answer_scores(method, {2, 0.5, -1, /* rejected: */ 0, 1, -1.2F});
  Batch batch = pairs();
  batch.columns["rater"] = {.kind = ColumnKind::text, .texts = {"ann", "bob", "ann"}};
  const nlohmann::json said = card(method, batch);
  EXPECT_EQ(said["pairs"], 3);
  EXPECT_EQ(said["answers"], 6);
  EXPECT_NEAR(said["accuracy"].get<double>(), 2 / 3.0, 1e-5);
  EXPECT_NEAR(said["longer_is_better"].get<double>(), 2 / 3.0, 1e-5);
  EXPECT_NEAR(said["margin"].get<double>(), (2 - 0.5 + 0.2) / 3, 1e-5);
  // Wilson's interval of 2 of 3: (2/3 + 1.96^2 / 6) / (1 + 1.96^2 / 3) and 0.3654 on either side
  EXPECT_NEAR(said["interval_95"][0].get<double>(), 0.2077, 1e-4);
  EXPECT_NEAR(said["interval_95"][1].get<double>(), 0.9385, 1e-4);
  const nlohmann::json& calibration = said["calibration"];
  ASSERT_EQ(calibration.size(), 3U);
  const double gaps[] = {0.2, 0.5, 2}, right[] = {1, 0, 1};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(calibration[i]["pairs"], 1);
    EXPECT_NEAR(calibration[i]["sure"].get<double>(), sigmoid(gaps[i]), 1e-5);
    EXPECT_EQ(calibration[i]["right"].get<double>(), right[i]);
  }
  EXPECT_EQ(said["raters"], (nlohmann::json{{"ann", 1}, {"bob", 0}}));
}

// Of the first pair two of three members are wrong, and the mean of all is right: (5 - 1 - 1) / 3 = 1 over 0.
TEST_F(ReportCard, OfAnEnsembleIsThatOfItsMeanScore) {
  Method method("reward_modeling");
  answer_scores(method, {5, 0, 0, -1, 0, 0, -1, 0, 3, /* rejected: */ 0, 1, 0, 0, 1, 0, 0, 1, 0});
  Batch one = pairs(), batch = repeated(one, 3);
  const nlohmann::json said = card(method, batch);
  EXPECT_EQ(said["pairs"], 3);
  EXPECT_NEAR(said["accuracy"].get<double>(), 2 / 3.0, 1e-5);  // gaps of 1, -1 and 1
  EXPECT_NEAR(said["margin"].get<double>(), (1 - 1 + 1) / 3.0, 1e-5);
}

// Members that read texts of their own, so that their opinions are known: two against the first, two with it, and three
// of which each has another.
TEST_F(ReportCard, MembersVoteAndTheirSumBreaksTies) {
  Method method("finetune");
  method.policy->add_head(3, {}, 11);
  check_status(method.table.prepare(method.self, &method.train));
  const NoGradient still;
  Text by_label[3];
  double sums[3] = {};
  size_t seen = 0;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    const Text text{"", std::string("of ") + letter};
    const std::vector<float> all =
        to_host(method.policy->forward(pass_over(tokens_of({example_of(text).ids})), RGM_HEAD)[0]);
    const auto likeliest = size_t(std::max_element(all.end() - 3, all.end()) - (all.end() - 3));
    if (!by_label[likeliest].answer.empty()) continue;
    by_label[likeliest] = text, ++seen;
    for (size_t c = 0; c < 3; ++c)
      sums[c] += double(all[all.size() - 3 + c]);  // as log-probabilities, but for one number
  }
  ASSERT_EQ(seen, 3U) << "each label has to be somebody's opinion for the test to see it";
  const auto of_sum = int32_t(std::max_element(sums, sums + 3) - sums);
  const auto &a = by_label[0], &b = by_label[1], &c = by_label[2];
  const std::vector<Text> texts = {a, a, c, /* second member: */ b, b, b, /* third: */ b, a, a};
  const int32_t elected[] = {1, 0, of_sum};
  for (size_t right = 0; right <= 3; ++right) {  // so many labels are those that were elected
    std::vector<int32_t> labels;
    for (size_t i = 0; i < 9; ++i) labels.push_back((elected[i % 3] + (i % 3 < right ? 0 : 1)) % 3);
    Batch batch;
    set_tokens(batch, "text", texts);
    set_integers(batch, "label", labels);
    set_integers(batch, "member", {0, 0, 0, 1, 1, 1, 2, 2, 2});
    method.train.metrics.clear();
    evaluate(method, batch);
    EXPECT_NEAR(method.metric("accuracy"), double(right) / 3, 1e-6);
  }
}

}  // namespace
}  // namespace rgm::test
