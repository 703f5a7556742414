// kto.cpp - Kahneman-Tversky optimisation (arXiv 2402.01306): answers that were each judged good or bad, no pairs. With
// x = log p(answer) - log p_ref(answer), summed over the answer's tokens, the loss is the mean over examples of
//   good  weight_desirable   (1 - sigmoid(beta (x - z)))
//   bad   weight_undesirable (1 - sigmoid(beta (z - x))),     z = max(0, mean of x over answers behind wrong prompts)
// An example with `desirable: -1` is no opinion, and counts for nothing. z estimates KL(policy || reference) and passes
// no gradient. The answers behind wrong prompts are those of the examples that are read at once, each moved to the
// prompt before it, so `micro_batch` is best large; one example alone has z = 0. With `kl: false` z is 0 everywhere
// (APO-zero of unpaired examples, arXiv 2408.06266).
#include <algorithm>
#include <regimen/regimen.hpp>
using namespace regimen;

struct KtoOptions {
  double beta = 0.1, desirable = 1, undesirable = 1;
  bool kl = true;

  using O = KtoOptions;
  static constexpr auto list = options(
      option("beta", &O::beta, "how strongly the policy is held to the reference").range(1e-6, 100),
      option("weight_desirable", &O::desirable, "weight of good examples; raise it if there are few").range(0, 1000),
      option("weight_undesirable", &O::undesirable, "weight of bad examples").range(0, 1000),
      option("kl", &O::kl, "compares with the policy's distance from the reference"));
};

class Kto {
 public:
  using Options = KtoOptions;
  static constexpr bool without_dropout = true;
  static constexpr bool capturable = true;
  static constexpr rgm_column columns[] = {column::tokens("completion"), column::integer("desirable")};
  static constexpr rgm_role roles[] = {role("reference")};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-6), attr("clip", 1.0), {}};

  explicit Kto(const Options& o) : o_(o) {}

  void annotate(const Train& train, const Batch& batch) const {
    std::vector<float> opinions;
    for (const int32_t d : read<int32_t>(batch.column("desirable"))) {
      require(d >= -1 && d <= 1, "kto: desirable is " + std::to_string(d) +
                                     ", expected 1 for a good answer, 0 for a bad one, -1 for no opinion");
      opinions.push_back(d >= 0);
    }
    batch.set("opinion", write(opinions, {int64_t(opinions.size())}));
    batch.set("reference_logprob", train.model("reference").logprob_each(batch.tokens("completion")));
  }

  Tensor loss(const Train& train, const Batch& batch) const {
    const Tokens tokens = batch.tokens("completion");
    const Tensor x = train.model("policy").logprob_each(tokens) - batch.column("reference_logprob");  // (E)
    const Tensor z = o_.kl && tokens.examples() > 1 ? distance(train, tokens) : full({}, 0);
    const Tensor opinion = batch.column("opinion"), good = opinion * cast(batch.column("desirable"), RGM_F32),
                 bad = opinion - good;
    const Tensor weight = o_.desirable * good + o_.undesirable * bad;
    train.metric("kl", z, full({}, 1));
    train.metric("desirable_reward", o_.beta * sum(good * x), sum(good));
    train.metric("undesirable_reward", o_.beta * sum(bad * x), sum(bad));
    return sum(weight * sigmoid(o_.beta * ((bad - good) * (x - z)))) / train.total("opinion");
  }

 private:
  static Tensor distance(const Train& train, const Tokens& tokens) {
    const Model policy = train.model("policy"), reference = train.model("reference");
    const Tokens wrong = moved(tokens, std::min(policy.info().context, reference.info().context));
    const Tensor apart = policy.logprobs(wrong) - reference.logprobs(wrong);
    return detach(max((1 / double(wrong.rows())) * sum(apart * wrong.weights), full({}, 0)));
  }

  // A row for each example: its prompt, up to the first token that counts, and behind it what follows that place in the
  // next example, with its weights: in a conversation further questions stand between the answers.
  static Tokens moved(const Tokens& tokens, int64_t context) {
    const int64_t E = tokens.examples(), T = std::min(context, 2 * tokens.length());
    const auto next = [&](const Tensor& x) { return concat(std::array{slice(x, 0, 1, E), slice(x, 0, 0, 1)}, 0); };
    const Tensor lengths = tokens.sum_each(full({tokens.rows(), tokens.length()}, 1));
    const Tensor prompts = prompt_lengths(tokens), answers = lengths - prompts;
    const Tensor starts = cast(tokens.ends, RGM_F32) - lengths + 1.0;
    const Tensor place = cumsum(full({1, T}, 1)) + -1.0;
    const Tensor in_prompt = place < down(prompts), inside = place < down(prompts + next(answers));  // (E, T)
    const Tensor behind = place + down(next(starts + prompts) - prompts);
    const Tensor from = select(inside, select(in_prompt, place + down(starts), behind), full({}, 0));
    const Tensor places = cast(reshape(from, {-1}), RGM_I32),
                 in_answer = cast(inside, RGM_F32) - cast(in_prompt, RGM_F32);
    const Tensor ids = gather(reshape(tokens.ids, {-1}), 0, places);
    const Tensor weights = in_answer * reshape(gather(reshape(tokens.weights, {-1}), 0, places), {E, T});
    return {reshape(ids, {E, T}), cast(inside, RGM_I32), weights, tokens.ends};
  }
  // (E): how many tokens stand before the first one that counts.
  static Tensor prompt_lengths(const Tokens& tokens) {
    const Tensor counts = positive(tokens.weights), of_row = cumsum(counts);  // a row may hold several examples
    const Tensor before = gather(reshape(of_row, {-1}), 0, tokens.ends) - tokens.sum_each(counts);
    return tokens.sum_each(full({}, 1) - positive(of_row - tokens.spread(before)));
  }

  Options o_;
};

constexpr rgm_component kto = strategy<Kto>("kto", "1.0.0", "Learns from answers that were judged good or bad");
RGM_PLUGIN("kto", "1.0.0", "", &kto);
