// grpo.cpp - group relative policy optimisation (arXiv 2402.03300): no critic, the other answers to the same prompt say
// what to expect. With rho = p / p_old of a token, A one advantage for a whole answer:
//   A = (score - mean of the group) / (deviation of the group + 1e-4)
//   loss of a token = -min(rho A, clip(rho, 1 - clip, 1 + clip_high) A) + beta (e^d - d - 1),  d = log p_ref - log p
// and how tokens are averaged:
//   grpo      over each answer's tokens, then over answers
//   dapo      over all tokens of the step: long answers weigh more (arXiv 2503.14476)
//   dr_grpo   the sum over answers, by their number times `max_tokens`: lengths do not matter (arXiv 2503.20783, which
//             goes with `scale: none`)
// With `ratio: answer` rho is that of the whole answer, the geometric mean over its tokens, which asks for a smaller
// clip, such as 3e-4 (GSPO, arXiv 2507.18071, with `average: grpo`). With `scale: batch` all advantages are divided by
// the deviation of the whole batch (arXiv 2508.08221). With `unfinished: skip` no token of an answer is learned that
// `max_tokens` cut off, though its score counts in its group (arXiv 2503.14476).
// With `sync_every` the reference follows the policy (arXiv 2404.09656): see regimen/reference.hpp.
// An answer that cannot be scored has A = 0, and so have all answers of a group that scored the same; of a batch
// without any score nothing is learned.
#include <regimen/regimen.hpp>
using namespace regimen;

struct GrpoOptions : OnlineSampling, ReferenceSync {
  static constexpr const char* averages[] = {"dapo", "grpo", "dr_grpo", nullptr};
  static constexpr const char* scales[] = {"group", "batch", "none", nullptr};
  static constexpr const char* ratios[] = {"token", "answer", nullptr};
  static constexpr const char* unfinished_answers[] = {"learn", "skip", nullptr};

  int64_t answers = 8;
  double beta = 0, clip = 0.2;
  std::optional<double> clip_high;
  std::string_view average = "dapo", scale = "group", ratio = "token", unfinished = "learn";

  using O = GrpoOptions;
  static constexpr auto list = options(
      option("answers", &O::answers, "answers to each prompt: the group").range(2, 1024), OnlineSampling::list,
      option("beta", &O::beta, "price of leaving the reference, per nat and token").range(0, 10),
      option("clip", &O::clip, "how far the ratio of a token may fall").range(0, 1),
      option("clip_high", &O::clip_high, "how far it may rise; unset: as `clip`; 0.28 in arXiv 2503.14476")
          .range(0, 100),
      option("average", &O::average, "how the loss is averaged over tokens and answers").choices(averages),
      option("scale", &O::scale, "whose deviation advantages are divided by").choices(scales),
      option("ratio", &O::ratio, "of new to old probability: for each token, or for the whole answer").choices(ratios),
      option("unfinished", &O::unfinished, "what happens to answers that max_tokens cut off")
          .choices(unfinished_answers),
      rounds, ReferenceSync::list);
};

class Grpo {
 public:
  using Options = GrpoOptions;
  static constexpr bool without_dropout = true;
  static constexpr bool evaluates_apart = true;
  static constexpr rgm_column columns[] = {column::tokens("prompt")};
  static constexpr rgm_role roles[] = {role("reference", RGM_OPTIONAL | RGM_FOLLOWS)};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-6), attr("clip", 1.0), {}};

  explicit Grpo(const Options& o) : o_(o) {
    o.check("grpo");
    o.check_sync("grpo");
    require(!o.syncs() || o.beta > 0,
            "grpo: sync_every moves the reference, and with beta: 0 nothing is compared with it: add beta: 0.04, or "
            "leave sync_every out");
  }

  Plan plan() const {
    Plan plan = o_.plan(o_.answers);
    plan.follows_policy = o_.syncs();
    return plan;
  }

  void prepare(const Train& train) const {
    if (o_.beta > 0) static_cast<void>(train.model("reference"));  // as the policy is now
  }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch batch = o_.generate(train, train.model("policy"), prompts, o_.answers);
    const Tensor score = train.score(batch);
    const std::vector<float> scores = read(score);
    if (!any_scored(scores)) return {};
    train.metric_of_scores("reward", score);
    const Tokens answers = batch.tokens("completion");
    batch.set("advantage",
              write(advantages(train, scores, read<int32_t>(batch.column("origin"))), {answers.examples()}));
    if (o_.beta > 0) batch.set("completion.reference", train.model("reference").logprobs(answers, o_.temperature));
    train.metric("length", answers.sum_each(answers.weights));
    const Tensor finished = cast(batch.column("finished"), RGM_F32);  // (E)
    train.metric("finished", finished);
    if (o_.unfinished == "skip") batch.set("completion.learned", answers.spread(finished) * answers.weights);
    return o_.experience(batch);
  }

  Tensor loss(const Train& train, const Batch& batch) const {
    const Tokens answers = batch.tokens("completion");
    const char* const learned = o_.unfinished == "skip" ? "completion.learned" : "completion.weights";
    const Tensor weights = batch.column(learned);
    const Tensor logprobs = train.model("policy").logprobs(answers, o_.temperature);
    Tensor apart_from_old = logprobs - batch.column("completion.logprobs");
    if (o_.ratio == "answer") apart_from_old = answers.spread(mean_of_each(answers, apart_from_old * answers.weights));
    const Tensor ratio = exp(apart_from_old);
    const Tensor advantage = answers.spread(batch.column("advantage"));
    const Tensor near = clamp(ratio, 1 - o_.clip, 1 + o_.clip_high.value_or(o_.clip));
    Tensor cost = max(-ratio * advantage, -near * advantage);
    const Tensor clipped = positive(cost + ratio * advantage);
    train.metric("clip_fraction", sum(clipped * weights), sum(weights));
    if (o_.beta > 0) {
      const Tensor apart = batch.column("completion.reference") - logprobs;
      const Tensor kl = exp(apart) - apart + -1.0;
      train.metric("kl_of_token", sum(kl * weights), sum(weights));
      cost = cost + o_.beta * kl;
    }
    const Tensor costs = cost * weights;
    if (o_.average == "dapo") return sum(costs) / train.total(learned);
    if (o_.average == "dr_grpo") return (1 / double(o_.max_tokens)) * (sum(costs) / train.total("completion"));
    return sum(mean_of_each(answers, costs)) / train.total("completion");
  }

  void after_step(const Train& train, int64_t step) const { o_.sync(train, step); }

  // On held-out prompts, one answer each.
  void evaluate(const Train& train, const Batch& prompts) const {
    train.metric_of_scores("reward", train.score(o_.generate(train, train.model("policy"), prompts, 1)));
  }

 private:
  // (E), of each answer's tokens; x (B, T) is 0 elsewhere.
  static Tensor mean_of_each(const Tokens& answers, const Tensor& x) {
    return answers.sum_each(x) / answers.count_each();
  }

  std::vector<float> advantages(const Train& train, const std::vector<float>& scores,
                                const std::vector<int32_t>& origin) const {
    std::vector<float> out(scores.size(), 0.0F);
    double flat = 0, groups = 0;
    std::vector<float> scored;
    for (const float score : scores)
      if (!std::isnan(score)) scored.push_back(score);
    const double of_batch = o_.scale == "batch" ? std::sqrt(moments(scored).variance) + 1e-4 : 1;
    for (const auto& [prompt, members] : groups_of(origin, scores)) {
      std::vector<float> own;
      for (const size_t i : members) own.push_back(scores[i]);
      const Moments m = moments(own);
      const double scale = o_.scale == "group" ? std::sqrt(m.variance) + 1e-4 : of_batch;
      for (const size_t i : members) out[i] = float((double(scores[i]) - m.mean) / scale);
      flat += m.variance == 0, groups += 1;
    }
    train.metric("groups_without_preference", full({}, flat), full({}, groups));
    return out;
  }

  Options o_;
};

constexpr rgm_component grpo = strategy<Grpo>("grpo", "1.0.0", "Policy gradient with the group as its baseline");
RGM_PLUGIN("grpo", "1.0.0", "", &grpo);
