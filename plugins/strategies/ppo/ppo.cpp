// ppo.cpp - reinforcement learning from a reward, as in InstructGPT (arXiv 2203.02155; PPO arXiv 1707.06347). For token
// t of an answer, with p_old as it was drawn, p_ref the frozen reference, V_old the critic before the token:
//   r_t = -kl k_t, the answer's last one + score,  k1: k = log p_old - log p_ref,  k3: k = e^d - 1 - d with d = -k1
//   A, R of r and V_old by GAE (arXiv 1506.02438), A whitened over the whole batch of answers
//   loss = mean over tokens of  max(-A rho, -A clip(rho, 1 - clip, 1 + clip)),  rho = p / p_old
//        + value_weight / 2 * mean over tokens of  max((V - R)^2, (V_old + clip(V - V_old, value_clip) - R)^2)
//        + ptx * mean over tokens of the source `pretrain` of -log p
// V is a head on the policy's own states, or on those of `critic`, a model of its own (such as the reward model).
// With `kl_target` the price kl follows the distance: kl (1 + 0.1 e), e = kl per answer / target - 1 within 0.2
// (arXiv 1909.08593). An answer that did not end by itself loses `missing_end_penalty`; one that cannot be scored is
// left out, and so is a batch without any score. Where the distance passes `kl_limit` the stage fails, and its last
// checkpoint stays.
#include <algorithm>
#include <regimen/regimen.hpp>
using namespace regimen;

struct PpoOptions : OnlineSampling {
  static constexpr const char* estimators[] = {"k1", "k3", nullptr};

  constexpr PpoOptions() { epochs = 4; }

  int64_t answers = 1;
  double kl = 0.05, kl_target = 0, kl_limit = 0, clip = 0.2, value_clip = 0.2, value_weight = 0.1, gamma = 1,
         lambda = 0.95, missing_end_penalty = 0, ptx = 0;
  bool whiten_rewards = false;
  std::string_view kl_estimator = "k1", judge;

  using O = PpoOptions;
  static constexpr auto list = options(
      option("answers", &O::answers, "answers to each prompt").range(1, 1024), Part::max_tokens,
      Part::temperature_of_all, Part::top_k, Part::by_probability, Part::stop, rounds,
      option("kl", &O::kl, "price of leaving the reference, per nat").range(0, 10),
      option("kl_estimator", &O::kl_estimator, "how the distance of a token is estimated").choices(estimators),
      option("kl_target", &O::kl_target, "nats per answer to which the price adapts; 0: it is fixed").at_least(0),
      option("kl_limit", &O::kl_limit, "nats per answer at which the stage gives up; 0: never").at_least(0),
      option("clip", &O::clip, "how far the ratio of a token may go").range(0.001, 10),
      option("value_clip", &O::value_clip, "how far a value may move from the old one").range(0.001, 1000),
      option("value_weight", &O::value_weight, "weight of the critic's loss").range(0, 100),
      option("gamma", &O::gamma, "how much the next token's worth counts").range(0, 1),
      option("lambda", &O::lambda, "0: trust the critic, 1: the rewards").range(0, 1),
      option("whiten_rewards", &O::whiten_rewards, "scales rewards to deviation 1 over the batch; their mean stays"),
      option("missing_end_penalty", &O::missing_end_penalty, "penalty of an answer without an end; 1 is usual")
          .range(0, 1000),
      option("ptx", &O::ptx, "weight of plain text from the source `pretrain`; 27.8 in InstructGPT").range(0, 1000),
      option("judge", &O::judge,
             "a reward with weight 0 that evaluations ask about the policy's and the reference's answers"));
};

class Ppo {
 public:
  using Options = PpoOptions;
  static constexpr bool without_dropout = true;
  static constexpr bool evaluates_apart = true;
  static constexpr rgm_column columns[] = {column::tokens("prompt"), column::tokens("pretrain.text", RGM_OPTIONAL)};
  static constexpr rgm_role roles[] = {role("reference"), role("critic", RGM_TRAINED | RGM_OPTIONAL)};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 3e-6), attr("clip", 1.0), {}};

  explicit Ppo(const Options& o) : o_(o) { o.check("ppo"); }

  Plan plan() const {
    Plan plan = o_.plan(o_.answers);
    plan.reads_one_source = o_.ptx == 0;
    plan.needs_all_sources = o_.ptx > 0;
    return plan;
  }

  void prepare(const Train& train) {
    const std::string judge(o_.judge);
    require(
        judge.empty() || train.has_reward(judge.c_str()),
        "ppo: the stage has no reward \"" + judge + "\" to judge with; add reward: {from: " + judge + ", weight: 0}");
    const char* const reader = train.find("critic") ? "critic" : "policy";
    head_.attach(train.scope(reader, "value"), train.model(reader).info().channels);
    price_ = train.scope("policy", "ppo").buffer("kl", {}, Init::fill(o_.kl));
    assign(price_, full({}, o_.kl));  // a policy from an earlier stage brings that one's; a checkpoint comes after this
  }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch batch = o_.generate(train, train.model("policy"), prompts, o_.answers);
    const Tokens answers = batch.tokens("completion");
    const Rewards seen = look(train, batch, answers);
    if (!any_scored(seen.scores)) return {};
    learnable(batch, answers, seen);
    const double kl = mean_of(seen.kl);
    train.metric("kl", kl);
    train.metric("kl_price", price_);
    train.metric("length", answers.sum_each(answers.weights));
    // Of what was drawn -log p is, on average, the entropy.
    train.metric("entropy", -sum(batch.column("completion.logprobs") * answers.weights), sum(answers.weights));
    require_near(kl);
    if (o_.kl_target > 0) assign(price_, (1 + 0.1 * std::clamp(kl / o_.kl_target - 1, -0.2, 0.2)) * price_);
    explain(train, batch);
    return o_.experience(batch);
  }

  Tensor loss(const Train& train, const Batch& batch) const {
    const Tokens answers = batch.tokens("completion");
    const auto [logprobs, values] = pass(train, answers);
    const Tensor weights = answers.weights, tokens = train.total("completion.weights");
    const Tensor advantage = batch.column("completion.advantage");
    const Tensor moved = logprobs - batch.column("completion.logprobs"), ratio = exp(moved);
    const Tensor cost = max(-ratio * advantage, -clamp(ratio, 1 - o_.clip, 1 + o_.clip) * advantage);
    const Tensor old = batch.column("completion.value"), wanted = batch.column("completion.return");
    const Tensor near = old + clamp(values - old, -o_.value_clip, o_.value_clip);
    const Tensor error = max(square(values - wanted), square(near - wanted));
    train.metric("policy_loss", sum(cost * weights), sum(weights));
    train.metric("value_loss", 0.5 * sum(error * weights), sum(weights));
    train.metric("clip_fraction", sum(positive(cost + ratio * advantage) * weights), sum(weights));
    train.metric("kl_of_update", 0.5 * sum(square(moved) * weights), sum(weights));
    Tensor all = sum((cost + 0.5 * o_.value_weight * error) * weights) / max(tokens, full({}, 1));
    if (o_.ptx > 0) {
      require(batch.find("pretrain.text").has_value(), "ppo: ptx needs plain text: add data: {pretrain: {text: FILE}}");
      const Tokens text = batch.tokens("pretrain.text");
      const Tensor plain =
          train.model("policy").cross_entropy(text, text.weights / train.total("pretrain.text.weights"));
      train.metric("ptx_loss", plain * train.total("pretrain.text.weights"), sum(text.weights));
      all = all + o_.ptx * plain;
    }
    return all;
  }

  // On held-out prompts, `answers` each; and the judge's opinion of them beside that of the reference's answers.
  void evaluate(const Train& train, const Batch& prompts) const {
    const Batch batch = o_.generate(train, train.model("policy"), prompts, o_.answers);
    const Tokens answers = batch.tokens("completion");
    train.metric_of_scores("reward", train.score(batch));
    train.metric("kl", apart(train, batch, answers));
    train.metric("length", answers.sum_each(answers.weights));
    if (o_.judge.empty()) return;
    train.metric_of_positive("judge_positive", judged(train, batch));
    const Batch before = o_.generate(train, train.model("reference"), prompts, o_.answers);
    train.metric_of_positive("judge_positive_before", judged(train, before));
  }

 private:
  struct Rewards {
    std::vector<float> scores, kl;       // (E)
    std::vector<float> distance, value;  // (B T)
  };
  struct Passed {
    Tensor logprobs, values;
  };

  Tensor judged(const Train& train, const Batch& batch) const {
    return *train.score_by(batch, std::string(o_.judge).c_str());  // it is there, as prepare has seen
  }

  // What a token is worth stands in the state before it: that of the token on its left.
  static Tensor shifted(const Tensor& x) {
    const int64_t rows = x.size(0), length = x.size(1);
    return concat(std::array{full({rows, 1}, 0), slice(x, 1, 0, length - 1)}, 1);
  }
  Passed pass(const Train& train, const Tokens& answers) const {
    if (const auto critic = train.find("critic"))
      return {train.model("policy").logprobs(answers, o_.temperature), shifted(head_.each(critic->hidden(answers)))};
    auto [logprobs, hidden] = train.model("policy").forward<RGM_LOGPROBS | RGM_HIDDEN>(answers, o_.temperature);
    return {logprobs, shifted(head_.each(hidden))};
  }

  // Nats per answer from the reference: (E)
  Tensor apart(const Train& train, const Batch& batch, const Tokens& answers) const {
    const Tensor reference = train.model("reference").logprobs(answers, o_.temperature);
    return answers.sum_each((batch.column("completion.logprobs") - reference) * answers.weights);
  }

  Rewards look(const Train& train, const Batch& batch, const Tokens& answers) const {
    const Tensor difference =
        batch.column("completion.logprobs") - train.model("reference").logprobs(answers, o_.temperature);
    const Tensor distance = o_.kl_estimator == "k1" ? difference : exp(-difference) + difference + -1.0;
    const auto critic = train.find("critic");
    const Tensor value = shifted(head_.each((critic ? *critic : train.model("policy")).hidden(answers)));
    const Tensor score = train.score(batch);
    train.metric_of_scores("reward", score);
    Rewards out{read(score), read(answers.sum_each(difference * answers.weights)), read(distance), read(value)};
    const std::vector<float> finished = read(cast(batch.column("finished"), RGM_F32));
    for (size_t e = 0; e < finished.size(); ++e)
      if (finished[e] == 0) out.scores[e] -= float(o_.missing_end_penalty);
    return out;
  }

  // Advantages, returns and values of every token that counts.
  void learnable(const Batch& batch, const Tokens& answers, const Rewards& seen) const {
    const std::vector<int32_t> segments = read<int32_t>(answers.segments);
    std::vector<float> weights = read(answers.weights), rewards, advantages(weights.size()), returns(weights.size());
    std::vector<std::vector<size_t>> places(seen.scores.size());
    for (size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] == 0) continue;
      const auto e = size_t(segments[i] - 1);
      if (std::isnan(seen.scores[e]))
        weights[i] = 0;
      else
        places[e].push_back(i);
    }
    const double price = double(read(price_)[0]);
    for (size_t e = 0; e < places.size(); ++e)
      for (const size_t i : places[e])
        rewards.push_back(float(-price * double(seen.distance[i])) + (i == places[e].back() ? seen.scores[e] : 0));
    if (o_.whiten_rewards) whiten(rewards, false);
    std::vector<float> all;
    for (size_t e = 0, begin = 0; e < places.size(); begin += places[e++].size()) {
      std::vector<float> values;
      for (const size_t i : places[e]) values.push_back(seen.value[i]);
      const Gae g = gae({rewards.data() + begin, values.size()}, values, o_.gamma, o_.lambda);
      for (size_t t = 0; t < values.size(); ++t) returns[places[e][t]] = g.returns[t];
      all.insert(all.end(), g.advantages.begin(), g.advantages.end());
    }
    whiten(all);
    size_t next = 0;
    for (const auto& own : places)
      for (const size_t i : own) advantages[i] = all[next++];
    const int64_t rows = answers.rows(), length = answers.length();
    batch.set("completion.advantage", write(advantages, {rows, length}));
    batch.set("completion.return", write(returns, {rows, length}));
    batch.set("completion.value", write(seen.value, {rows, length}));
    batch.set("completion.weights", write(weights, {rows, length}));
  }

  // 1 where the critic foresaw all returns, 0 where their mean would have done as well.
  static void explain(const Train& train, const Batch& batch) {
    const std::vector<float> wanted = read(batch.column("completion.return")),
                             value = read(batch.column("completion.value")),
                             weights = read(batch.column("completion.weights"));
    std::vector<float> returns, errors;
    for (size_t i = 0; i < weights.size(); ++i)
      if (weights[i] > 0) returns.push_back(wanted[i]), errors.push_back(wanted[i] - value[i]);
    const double spread = moments(returns).variance;
    train.metric("explained_variance", spread > 0 ? 1 - moments(errors).variance / spread : 0);
  }

  void require_near(double kl) const {
    if (o_.kl_limit > 0 && kl > o_.kl_limit)
      throw Error(RGM_DEVICE_ERROR, "ppo: the answers are " + std::to_string(kl) +
                                        " nats from the reference, above kl_limit " + std::to_string(o_.kl_limit) +
                                        ": the reward may be misled. The last checkpoint "
                                        "is kept; raise kl, or lower the learning rate");
  }

  Options o_;
  ScalarHead head_;
  Tensor price_;
};

constexpr rgm_component ppo = strategy<Ppo>("ppo", "1.0.0", "Learns from a reward, held to the reference");
RGM_PLUGIN("ppo", "1.0.0", "", &ppo);
