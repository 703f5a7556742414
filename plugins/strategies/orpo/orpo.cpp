// orpo.cpp - odds ratio preference optimisation (arXiv 2403.07691): learns the chosen answer, and raises its odds over
// those of the rejected one; no reference. With w and l the mean log-probability of a token of each answer,
//   loss = -mean over the chosen answers' tokens of log p  -  beta * mean over pairs of log sigmoid(log odds ratio)
//   log odds ratio = w - l - (log(1 - e^w) - log(1 - e^l))
// log(1 - e^x) is taken as log(-expm1(x)) near 0 and as log1p(-e^x) below -ln 2: each loses its digits where the other
// keeps them.
#include <regimen/regimen.hpp>
using namespace regimen;

struct OrpoOptions {
  double beta = 0.1;

  static constexpr auto list =
      options(option("beta", &OrpoOptions::beta, "weight of the odds ratio, added to the loss of the chosen answers")
                  .range(0, 100));
};

class Orpo {
 public:
  using Options = OrpoOptions;
  static constexpr bool without_dropout = true;
  static constexpr bool capturable = true;
  static constexpr rgm_column columns[] = {column::tokens("chosen"), column::tokens("rejected")};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-6), attr("clip", 1.0), {}};

  explicit Orpo(const Options& o) : o_(o) {}

  Tensor loss(const Train& train, const Batch& batch) const {
    const Tokens chosen = batch.tokens("chosen"), rejected = batch.tokens("rejected");
    const Model policy = train.model("policy");
    const Tensor learned = policy.logprob_each(chosen);  // (E), summed over the answer
    const Tensor w = learned / chosen.count_each(), l = policy.logprob_each(rejected) / rejected.count_each();
    const Tensor odds = w - l - (log_of_rest(w) - log_of_rest(l));
    train.metric("accuracy", positive(odds));
    train.metric("log_odds_ratio", odds);
    return o_.beta * (sum(softplus(-odds)) / train.total("chosen")) - sum(learned) / train.total("chosen.weights");
  }

 private:
  // log(1 - e^x) of x below 0; an answer that is certain is taken as one part in ten million away from that.
  static Tensor log_of_rest(const Tensor& x) {
    const Tensor below = min(x, full({}, -1e-7));
    const Tensor near = unary(RGM_LOG, -unary(RGM_EXPM1, below)), far = unary(RGM_LOG1P, -exp(below));
    return select(full({}, -0.6931471805599453) < below, near, far);
  }

  Options o_;
};

constexpr rgm_component orpo = strategy<Orpo>("orpo", "1.0.0", "Odds ratio preference optimisation, without reference");
RGM_PLUGIN("orpo", "1.0.0", "", &orpo);
