// rloo.cpp - REINFORCE with the other answers as baseline (arXiv 2402.14740): an answer is one action. With the sums
// over its tokens, rho = p / p_old of the whole answer,
//   r = score - beta (log p_old - log p_ref),   A = r - mean of r over the prompt's other answers
//   loss = mean over answers of -min(rho A, clip(rho, 1 - clip, 1 + clip) A)
// `whiten` then takes the mean from A and divides it by its deviation, over the whole batch. An answer that cannot be
// scored, or has no other, has A = 0 and is in neither; of a batch without any score nothing is learned. log rho counts
// as 20 at most, so that a long answer that moved far is still a number. With `sync_every` the reference
// follows the policy (arXiv 2404.09656): see regimen/reference.hpp.
#include <regimen/regimen.hpp>
using namespace regimen;

struct RlooOptions : OnlineSampling, ReferenceSync {
  int64_t answers = 2;
  double beta = 0.05, clip = 0.2;
  bool whiten = false;

  using O = RlooOptions;
  static constexpr auto list =
      options(option("answers", &O::answers, "answers to each prompt").range(2, 1024), OnlineSampling::list,
              option("beta", &O::beta, "price of leaving the reference, per nat").range(0, 10),
              option("clip", &O::clip, "how far the ratio of an answer may go").range(0, 100),
              option("whiten", &O::whiten, "scales advantages over the batch"), rounds, ReferenceSync::list);
};

class Rloo {
 public:
  using Options = RlooOptions;
  static constexpr bool without_dropout = true;
  static constexpr bool evaluates_apart = true;
  static constexpr rgm_column columns[] = {column::tokens("prompt")};
  static constexpr rgm_role roles[] = {role("reference", RGM_FOLLOWS)};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-6), attr("clip", 1.0), {}};

  explicit Rloo(const Options& o) : o_(o) {
    o.check("rloo");
    o.check_sync("rloo");
    require(!o.syncs() || o.beta > 0,
            "rloo: sync_every moves the reference, and with beta: 0 the distance from it costs nothing: add beta: "
            "0.05, or leave sync_every out");
  }

  Plan plan() const {
    Plan plan = o_.plan(o_.answers);
    plan.follows_policy = o_.syncs();
    return plan;
  }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch batch = o_.generate(train, train.model("policy"), prompts, o_.answers);
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
    train.metric_of_scores("reward", score);
    train.metric("kl", kl);
    train.metric("length", answers.sum_each(answers.weights));
    return o_.experience(batch);
  }

  Tensor loss(const Train& train, const Batch& batch) const {
    const Tokens answers = batch.tokens("completion");
    const Tensor logprobs = train.model("policy").logprobs(answers, o_.temperature);
    const Tensor moved = answers.sum_each(logprobs * answers.weights) - batch.column("old");  // (E)
    const Tensor ratio = exp(min(moved, full({}, 20)));
    const Tensor advantage = batch.column("advantage");
    const Tensor cost = max(-ratio * advantage, -clamp(ratio, 1 - o_.clip, 1 + o_.clip) * advantage);
    train.metric("clip_fraction", positive(cost + ratio * advantage));
    return sum(cost) / train.total("completion");
  }

  void after_step(const Train& train, int64_t step) const { o_.sync(train, step); }

  // On held-out prompts, one answer each.
  void evaluate(const Train& train, const Batch& prompts) const {
    train.metric_of_scores("reward", train.score(o_.generate(train, train.model("policy"), prompts, 1)));
  }

 private:
  std::vector<float> advantages(const std::vector<float>& rewards, const std::vector<int32_t>& origin) const {
    std::vector<float> out(rewards.size(), 0.0F), compared;
    std::vector<size_t> places;  // of those that have others
    for (const auto& [prompt, members] : groups_of(origin, rewards)) {
      double total = 0;
      for (const size_t i : members) total += double(rewards[i]);
      const double others = double(members.size()) - 1;
      if (others == 0) continue;
      for (const size_t i : members) {
        compared.push_back(float(double(rewards[i]) - (total - double(rewards[i])) / others));
        places.push_back(i);
      }
    }
    if (o_.whiten) regimen::whiten(compared);
    for (size_t k = 0; k < places.size(); ++k) out[places[k]] = compared[k];
    return out;
  }

  Options o_;
};

constexpr rgm_component rloo = strategy<Rloo>("rloo", "1.0.0", "Policy gradient with the other answers as baseline");
RGM_PLUGIN("rloo", "1.0.0", "", &rloo);
