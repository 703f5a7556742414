// reward_answers_test.cpp - what a reward is given, and what it answers, is checked: its author may be mistaken.
#include "methods/method.hpp"

namespace rgm::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class RewardAnswers : public TensorTest {
 protected:
  RewardAnswers() {
    train_.stage = "test";
    train_.policy = policy_;
    train_.context = 24;
    set_tokens(batch_, "completion", {{"ab", "cd"}, {"ef", "g"}});
    batch_.columns["text"] = {.kind = ColumnKind::text, .texts = {"cd", "g"}};
    set_integers(batch_, "origin", {3, 5});
    train_.begin_step({&batch_});
  }
  void add(const rgm_reward& table, void* self) {
    train_.rewards.clear();
    Reward& reward = train_.rewards.emplace_back();
    reward.id = reward.name = reward.label = "test";
    reward.table = &table;
    reward.self = self;
    reward.model = policy_;
  }
  // A learned reward: its scores are what the test says, and its loss is forgotten.
  void learn(std::function<Tensor()> scores) {
    using Scores = std::function<Tensor()>;
    static const rgm_reward table = [] {
      rgm_reward r{};
      r.struct_size = sizeof r;
      r.destroy = [](void* self) { delete static_cast<Scores*>(self); };
      r.scores = [](void* self, rgm_tensor*, rgm_tensor*, rgm_tensor** out) -> rgm_status {
        *out = (*static_cast<Scores*>(self))().release();
        return RGM_OK;
      };
      r.loss = [](void*, rgm_train*, rgm_batch*, rgm_tensor*, rgm_tensor**) -> rgm_status { return RGM_OK; };
      return r;
    }();
    add(table, new Scores(std::move(scores)));
  }
  // A rule that reads "origin", and answers it where it is an integer.
  template <int32_t kind>
  void rule() {
    static const rgm_column origin{sizeof(rgm_column), 0, "origin", kind, 0};
    static const rgm_column* const columns[] = {&origin, nullptr};
    static const rgm_reward table = [] {
      rgm_reward r{};
      r.struct_size = sizeof r;
      r.columns = columns;
      r.destroy = [](void*) {};
      r.score = [](void*, const rgm_completion* const* items, uint32_t n, float* out) -> rgm_status {
        for (uint32_t i = 0; i < n; ++i)
          out[i] = items[i]->columns[0].type == RGM_INTEGER ? float(items[i]->columns[0].as.i) : -1;
        return RGM_OK;
      };
      return r;
    }();
    add(table, nullptr);
  }
  template <class F>
  static std::string failure(F&& body) {
    try {
      body();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  std::string failure_of_loss(std::function<Tensor()> scores) {
    learn(std::move(scores));
    return failure([&] { reward_loss(train_, batch_); });
  }
  std::string failure_of_score(std::function<Tensor()> scores) {
    learn(std::move(scores));
    return failure([&] { score_of(train_, &batch_, "test"); });
  }

  std::shared_ptr<Model> policy_ = small_model();
  rgm_train train_;
  Batch batch_;
};

TEST_F(RewardAnswers, ScoresAreATensor) {
  const auto none = [] { return Tensor(); };
  EXPECT_THAT(failure_of_loss(none), HasSubstr("test: scores returned no tensor, one of the shape (2) was expected"));
  EXPECT_THAT(failure_of_score(none), HasSubstr("test: scores returned no tensor, one of the shape (2) was expected"));
}

TEST_F(RewardAnswers, ScoresAreOneNumberForEachAnswer) {
  for (const Shape& shape : {Shape(), Shape({1}), Shape({3}), Shape({2, 1})}) {
    const auto scores = [&] { return ops::full(shape, 0); };
    const std::string told = "scores returned float32 of the shape " + shape.text();
    EXPECT_THAT(failure_of_loss(scores), HasSubstr(told));
    EXPECT_THAT(failure_of_score(scores), HasSubstr(told));
  }
  EXPECT_THAT(failure_of_loss([] { return ops::full({2}, 0, RGM_I32); }),
              HasSubstr("scores returned int32 of the shape (2), real numbers of the shape (2) were expected"));
  learn([] { return from_host(std::span<const float>(numbers(2, 1)), {2}); });
  EXPECT_EQ(to_host(score_of(train_, &batch_, "test")), numbers(2, 1));
}

TEST_F(RewardAnswers, ALearnedRewardHasALoss) {
  EXPECT_THAT(failure_of_loss([] { return ops::full({2}, 0); }),
              HasSubstr("test: loss returned no tensor, one number was expected"));
}

// "abcd" and "efg" are in one row, and the reward answers where each ends. Where a stop text ended an answer, the rows
// that a reward learns from have an end of text.
TEST_F(RewardAnswers, AnAnswerThatEndedHasAnEndOfText) {
  static const rgm_reward places = [] {
    rgm_reward r{};
    r.struct_size = sizeof r;
    r.destroy = [](void*) {};
    r.scores = [](void*, rgm_tensor*, rgm_tensor* ends, rgm_tensor** out) -> rgm_status {
      *out = ops::cast(Tensor::share(ends), RGM_F32).release();
      return RGM_OK;
    };
    return r;
  }();
  add(places, nullptr);
  const auto ends = [&] { return to_host(score_of(train_, &batch_, "test")); };
  EXPECT_EQ(ends(), (std::vector<float>{3, 6})) << "nobody says that they ended";
  set_integers(batch_, "finished", {0, 0});
  EXPECT_EQ(ends(), (std::vector<float>{3, 6}));
  set_integers(batch_, "finished", {1, 0});
  EXPECT_EQ(ends(), (std::vector<float>{4, 7}));
  batch_.columns.at("completion").integers[3] = policy_->tokenizer()->end_of_text().value();
  EXPECT_EQ(ends(), (std::vector<float>{3, 6})) << "it is there already";
  train_.context = 3;
  batch_.columns.at("completion").integers[3] = 'd';
  EXPECT_EQ(ends(), (std::vector<float>{3, 6})) << "there is no room for it";
}

TEST_F(RewardAnswers, AColumnIsOfTheKindThatARuleReads) {
  rule<RGM_INTEGER_COLUMN>();
  EXPECT_EQ(to_host(score_of(train_, &batch_, "test")), (std::vector<float>{3, 5}));
  rule<RGM_TEXT_COLUMN>();
  EXPECT_THAT(failure([&] { score_of(train_, &batch_, "test"); }),
              AllOf(HasSubstr("test: it reads the column \"origin\" as text"), HasSubstr("something else")));
  rule<RGM_REAL_COLUMN>();
  EXPECT_THAT(failure([&] { score_of(train_, &batch_, "test"); }), HasSubstr("as real numbers"));
}

}  // namespace
}  // namespace rgm::test
