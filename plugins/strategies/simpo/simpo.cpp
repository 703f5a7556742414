// simpo.cpp - simple preference optimisation (arXiv 2405.14734): a pair of answers teaches which one to prefer, by what
// each costs per token, so that neither a reference nor the longer answer has a say. With w and l the mean
// log-probability of a token of the chosen and the rejected answer,
//   loss = mean over pairs of -log sigmoid(beta (w - l) - gamma)
// and, with sft > 0, sft times the mean of -log p over the chosen answers' tokens beside it (CPO, arXiv 2401.08417).
#include <regimen/regimen.hpp>
using namespace regimen;

struct SimpoOptions {
  double beta = 2, gamma = 1, sft = 0;

  using O = SimpoOptions;
  static constexpr auto list = options(
      option("beta", &O::beta, "scale of the difference between the answers").range(1e-6, 100),
      option("gamma", &O::gamma, "by how much the chosen answer should lead, on that scale").range(0, 100),
      option("sft", &O::sft, "weight of the chosen answers' own loss, added to that of the pairs").range(0, 100));
};

class Simpo {
 public:
  using Options = SimpoOptions;
  static constexpr bool without_dropout = true;
  static constexpr bool capturable = true;
  static constexpr rgm_column columns[] = {column::tokens("chosen"), column::tokens("rejected")};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-6), attr("clip", 1.0), {}};

  explicit Simpo(const Options& o) : o_(o) {}

  Tensor loss(const Train& train, const Batch& batch) const {
    const Tokens chosen = batch.tokens("chosen"), rejected = batch.tokens("rejected");
    const Model policy = train.model("policy");
    const Tensor learned = policy.logprob_each(chosen);  // (E), summed over the answer
    const Tensor w = learned / chosen.count_each(), l = policy.logprob_each(rejected) / rejected.count_each();
    train.metric("accuracy", positive(w - l));
    train.metric("margin", o_.beta * (w - l));
    train.metric("chosen_reward", o_.beta * w);
    train.metric("rejected_reward", o_.beta * l);
    const Tensor loss = sum(softplus(affine(w - l, -o_.beta, o_.gamma))) / train.total("chosen");
    if (o_.sft == 0) return loss;
    train.metric("sft_loss", -sum(learned), sum(chosen.weights));
    return loss - o_.sft * (sum(learned) / train.total("chosen.weights"));
  }

 private:
  Options o_;
};

constexpr rgm_component simpo =
    strategy<Simpo>("simpo", "1.0.0", "Preference optimisation by length, without reference");
RGM_PLUGIN("simpo", "1.0.0", "", &simpo);
