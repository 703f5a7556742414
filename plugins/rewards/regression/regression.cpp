// regression.cpp - a reward learned from ratings: with r one number from the state after an answer's last token and v
// the rating, the loss is the mean over examples of
//   squared    (r - v)^2
//   logistic   -v log sigmoid(r) - (1 - v) log sigmoid(-r),   v from 0 to 1: r becomes the log odds of "good"
#include <regimen/regimen.hpp>
using namespace regimen;

struct RegressionOptions {
  static constexpr const char* losses[] = {"squared", "logistic", nullptr};

  std::string_view loss = "squared";

  static constexpr auto list = options(
      option("loss", &RegressionOptions::loss, "for any numbers, or for shares and yes-or-no ratings").choices(losses));
};

class Regression : public ScalarReward {
 public:
  using Options = RegressionOptions;
  static constexpr rgm_column columns[] = {column::tokens("completion"), column::real("value")};

  explicit Regression(const Options& o) : logistic_(o.loss == "logistic") {}

  Tensor loss(const Train& train, const Batch& batch, const Tensor& scores) const {
    const Tensor value = batch.column("value");
    if (!logistic_) return sum(square(scores - value)) / train.total("completion");
    train.metric("accuracy", cast(equal(positive(scores), positive(value + -0.5)), RGM_F32));
    return sum(softplus(scores) - value * scores) / train.total("completion");
  }

 private:
  bool logistic_;
};

constexpr rgm_component regression = reward<Regression>("regression", "1.0.0", "Learned from ratings of answers");
RGM_PLUGIN("regression", "1.0.0", "", &regression);
