// grpo.cpp - group relative policy optimisation (arXiv 2402.03300): no critic, the other answers to the same prompt say
// what to expect. With rho = p / p_old of a token, A one advantage for a whole answer:
//   A = (score - mean of the group) / (deviation of the group + 1e-4)
//   loss of a token = -min(rho A, clip(rho, 1 - clip, 1 + clip_high) A) + beta (e^d - d - 1),  d = log p_ref - log p
// and how tokens are averaged:
//   grpo      over each answer's tokens, then over answers
//   dapo      over all tokens of the step: long answers weigh more (arXiv 2503.14476)
//   dr_grpo   the sum over answers, by their number times `max_tokens`: lengths do not matter (arXiv 2503.20783)
// With `ratio: answer` rho is that of the whole answer, the geometric mean over its tokens (GSPO, arXiv 2507.18071),
// which asks for a far smaller clip, such as 3e-4. With `scale: batch` all advantages are divided by the deviation of
// the whole batch (arXiv 2508.08221). With `unfinished: skip` no token of an answer that `max_tokens` cut off is
// learned, though its score counts in its group (arXiv 2503.14476).
// An answer that cannot be scored has A = 0, and so have all answers of a group that scored the same; of a batch
// without any score nothing is learned.
#include <regimen/regimen.hpp>
using namespace regimen;

struct GrpoOptions {
  static constexpr const char* averages[] = {"dapo", "grpo", "dr_grpo", nullptr};
  static constexpr const char* scales[] = {"group", "batch", "none", nullptr};
  static constexpr const char* ratios[] = {"token", "answer", nullptr};
  static constexpr const char* unfinished_answers[] = {"learn", "skip", nullptr};

  int64_t answers = 8, max_tokens = 64, epochs = 1, minibatches = 1;
  double temperature = 1, beta = 0, clip = 0.2;
  std::optional<double> clip_high;
  std::span<const rgm_str> stop;
  std::string_view average = "dapo", scale = "group", ratio = "token", unfinished = "learn";

  using O = GrpoOptions;
  static constexpr auto list = options(
      option("answers", &O::answers, "answers to each prompt: the group").range(2, 1024),
      option("max_tokens", &O::max_tokens, "longest answer, in tokens").at_least(1),
      option("temperature", &O::temperature, "temperature of sampling and of all probabilities").range(0.01, 10),
      option("stop", &O::stop, "texts that end an answer, and stay in it"),
      option("beta", &O::beta, "price of leaving the reference, per nat and token").range(0, 10),
      option("clip", &O::clip, "how far the ratio of a token may fall").range(0, 1),
      option("clip_high", &O::clip_high, "how far it may rise; unset: as `clip`; 0.28 in arXiv 2503.14476")
          .range(0, 100),
      option("average", &O::average, "how the loss is averaged over tokens and answers").choices(averages),
      option("scale", &O::scale, "whose deviation advantages are divided by").choices(scales),
      option("ratio", &O::ratio, "of new to old probability: for each token, or for the whole answer").choices(ratios),
      option("unfinished", &O::unfinished, "what happens to answers that max_tokens cut off")
          .choices(unfinished_answers),
      option("epochs", &O::epochs, "how often each batch of answers is learned from").range(1, 100),
      option("minibatches", &O::minibatches, "optimizer steps per epoch").range(1, 1024));
};

class Grpo {
 public:
  using Options = GrpoOptions;
  static constexpr bool without_dropout = true;
  static constexpr rgm_column columns[] = {column::tokens("prompt")};
  static constexpr rgm_role roles[] = {role("reference", RGM_OPTIONAL)};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-6), attr("clip", 1.0), {}};

  explicit Grpo(const Options& o) : o_(o) {
    for (const rgm_str& text : o.stop)
      require(text.size > 0, "grpo: stop has an empty text, which ends nothing: leave it out");
  }

  Plan plan() const {
    return {.needs_reward = true,
            .epochs = o_.epochs,
            .steps = o_.minibatches,
            .units = o_.answers,
            .answer_tokens = o_.max_tokens};
  }

  void prepare(const Train& train) const {
    if (o_.beta > 0) static_cast<void>(train.model("reference"));  // as the policy is now
  }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch batch = answer(train, prompts, o_.answers);
    const std::vector<float> scores = read(train.score(batch));
    if (!any_scored(scores)) return {};
    const Tokens answers = batch.tokens("completion");
    batch.set("advantage",
              write(advantages(train, scores, read<int32_t>(batch.column("origin"))), {answers.examples()}));
    if (o_.beta > 0) batch.set("completion.reference", train.model("reference").logprobs(answers, o_.temperature));
    train.metric("length", answers.sum_each(answers.weights));
    const Tensor finished = cast(batch.column("finished"), RGM_F32);  // (E)
    train.metric("finished", finished);
    if (o_.unfinished == "skip") batch.set("completion.learned", answers.spread(finished) * answers.weights);
    return {batch, o_.epochs, o_.minibatches};
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

  // (E), of each answer's tokens; x (B, T) is 0 elsewhere.
  static Tensor mean_of_each(const Tokens& answers, const Tensor& x) {
    return answers.sum_each(x) / max(answers.sum_each(answers.weights), full({}, 1));
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
    train.metric("reward", mean_of(scores));
    train.metric("groups_without_preference", flat / groups);
    return out;
  }

  Options o_;
};

constexpr rgm_component grpo = strategy<Grpo>("grpo", "1.0.0", "Policy gradient with the group as its baseline");
RGM_PLUGIN("grpo", "1.0.0", "", &grpo);
