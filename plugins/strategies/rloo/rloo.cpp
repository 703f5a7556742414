// rloo.cpp - REINFORCE with the other answers as baseline (arXiv 2402.14740): an answer is one action. With the sums
// over its tokens, rho = p / p_old of the whole answer,
//   r = score - beta (log p_old - log p_ref),   A = r - mean of r over the prompt's other answers
//   loss = mean over answers of -min(rho A, clip(rho, 1 - clip, 1 + clip) A)
// `whiten` then takes the mean from A and divides it by its deviation, over the whole batch. An answer that cannot be
// scored, or has no other, has A = 0; of a batch without any score nothing is learned.
#include <regimen/regimen.hpp>
using namespace regimen;

struct RlooOptions {
  int64_t answers = 2, max_tokens = 64, epochs = 1, minibatches = 1;
  double temperature = 1, beta = 0.05, clip = 0.2;
  bool whiten = false;
  std::span<const rgm_str> stop;

  using O = RlooOptions;
  static constexpr auto list = options(
      option("answers", &O::answers, "answers to each prompt").range(2, 1024),
      option("max_tokens", &O::max_tokens, "longest answer, in tokens").at_least(1),
      option("temperature", &O::temperature, "temperature of sampling and of all probabilities").range(0.01, 10),
      option("stop", &O::stop, "texts that end an answer, and stay in it"),
      option("beta", &O::beta, "price of leaving the reference, per nat").range(0, 10),
      option("clip", &O::clip, "how far the ratio of an answer may go").range(0, 100),
      option("whiten", &O::whiten, "scales advantages over the batch"),
      option("epochs", &O::epochs, "how often each batch of answers is learned from").range(1, 100),
      option("minibatches", &O::minibatches, "optimizer steps per epoch").range(1, 1024));
};

class Rloo {
 public:
  using Options = RlooOptions;
  static constexpr bool without_dropout = true;
  static constexpr rgm_column columns[] = {column::tokens("prompt")};
  static constexpr rgm_role roles[] = {role("reference")};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-6), attr("clip", 1.0), {}};

  explicit Rloo(const Options& o) : o_(o) {
    for (const rgm_str& text : o.stop)
      require(text.size > 0, "rloo: stop has an empty text, which ends nothing: leave it out");
  }

  Plan plan() const {
    return {.needs_reward = true,
            .epochs = o_.epochs,
            .steps = o_.minibatches,
            .units = o_.answers,
            .answer_tokens = o_.max_tokens};
  }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch batch = answer(train, prompts, o_.answers);
    const Tensor score = train.score(batch);
    const std::vector<float> scores = read(score);
    if (!any_scored(scores)) return {};
    const Tokens answers = batch.tokens("completion");
    const Tensor old = batch.column("completion.logprobs");
    const Tensor kl =
        answers.sum_each((old - train.model("reference").logprobs(answers, o_.temperature)) * answers.weights);
    batch.set("old", answers.sum_each(old * answers.weights));
    batch.set("advantage", write(advantages(read(score - o_.beta * kl), read<int32_t>(batch.column("origin"))),
                                 {answers.examples()}));
    train.metric("reward", mean_of(scores));
    train.metric("kl", kl);
    train.metric("length", answers.sum_each(answers.weights));
    return {batch, o_.epochs, o_.minibatches};
  }

  Tensor loss(const Train& train, const Batch& batch) const {
    const Tokens answers = batch.tokens("completion");
    const Tensor logprobs = train.model("policy").logprobs(answers, o_.temperature);
    const Tensor ratio = exp(answers.sum_each(logprobs * answers.weights) - batch.column("old"));  // (E)
    const Tensor advantage = batch.column("advantage");
    const Tensor cost = max(-ratio * advantage, -clamp(ratio, 1 - o_.clip, 1 + o_.clip) * advantage);
    train.metric("clip_fraction", positive(cost + ratio * advantage));
    return sum(cost) / train.total("completion");
  }

  // On held-out prompts, one answer each.
  void evaluate(const Train& train, const Batch& prompts) const {
    train.metric_of_scores("reward", train.score(answer(train, prompts, 1)));
  }

 private:
  Batch answer(const Train& train, const Batch& prompts, int64_t answers) const {
    return train.generate(train.model("policy"), prompts,
                          {attr("answers", answers), attr("max_tokens", o_.max_tokens),
                           attr("temperature", o_.temperature), attr("stop", o_.stop)});
  }

  std::vector<float> advantages(const std::vector<float>& rewards, const std::vector<int32_t>& origin) const {
    std::vector<float> out(rewards.size(), 0.0F);
    for (const auto& [prompt, members] : groups_of(origin, rewards)) {
      double total = 0;
      for (const size_t i : members) total += double(rewards[i]);
      const double others = double(members.size()) - 1;
      for (const size_t i : members)
        if (others > 0) out[i] = float(double(rewards[i]) - (total - double(rewards[i])) / others);
    }
    if (o_.whiten) regimen::whiten(out);
    return out;
  }

  Options o_;
};

constexpr rgm_component rloo = strategy<Rloo>("rloo", "1.0.0", "Policy gradient with the other answers as baseline");
RGM_PLUGIN("rloo", "1.0.0", "", &rloo);
