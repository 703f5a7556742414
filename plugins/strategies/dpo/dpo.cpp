// dpo.cpp - direct preference optimisation: a pair of answers teaches which of the two to prefer, without a reward
// model. With c = log p(chosen) - log p_ref(chosen), r likewise of the rejected answer, both summed over the answer's
// tokens, and gap = beta (c - r), the loss is the mean over pairs of
//   sigmoid    -(1 - e) log sigmoid(gap) - e log sigmoid(-gap), e: label smoothing (arXiv 2305.18290)
//   robust     (-(1 - e) log sigmoid(gap) + e log sigmoid(-gap)) / (1 - 2 e) (arXiv 2403.00409)
//   hinge      max(0, 1 - gap) (arXiv 2305.10425)
//   ipo_sum    (c - r - 1 / (2 beta))^2 (arXiv 2310.12036)
//   ipo_mean   (c / tokens of chosen - r / tokens of rejected - 1 / (2 beta))^2, as several libraries have it
//   apo_zero   1 - sigmoid(beta c) + sigmoid(beta r): the chosen answer gets likelier (arXiv 2408.06266)
//   apo_down   sigmoid(beta c) + 1 - sigmoid(gap): both get less likely, the rejected one more so (the same paper)
// Both IPOs are called that, and are not the same thing. With sft > 0 the loss has sft times the mean of -log p over
// the tokens of the chosen answers beside it (after arXiv 2404.19733, where each answer has a mean of its own).
// With `sync_every` the reference follows the policy (TR-DPO, arXiv 2404.09656): see regimen/reference.hpp.
#include <regimen/regimen.hpp>
using namespace regimen;

struct DpoOptions : ReferenceSync {
  static constexpr const char* losses[] = {"sigmoid",  "robust",   "hinge",    "ipo_sum",
                                           "ipo_mean", "apo_zero", "apo_down", nullptr};

  double beta = 0.1, label_smoothing = 0, sft = 0;
  std::string_view loss = "sigmoid";

  using O = DpoOptions;
  static constexpr auto list = options(
      option("beta", &O::beta, "how strongly the policy is held to the reference").range(1e-6, 100),
      option("loss", &O::loss, "how a pair is judged").choices(losses),
      option("label_smoothing", &O::label_smoothing, "share of pairs assumed to be swapped").range(0, 0.49),
      option("sft", &O::sft, "weight of the chosen answers' own loss, added to that of the pairs").range(0, 100),
      ReferenceSync::list);
};

class Dpo {
 public:
  using Options = DpoOptions;
  static constexpr bool without_dropout = true;
  static constexpr bool capturable = true;
  static constexpr rgm_column columns[] = {column::tokens("chosen"), column::tokens("rejected")};
  static constexpr rgm_role roles[] = {role("reference", RGM_ANNOTATES | RGM_FOLLOWS)};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-6), attr("clip", 1.0), {}};

  explicit Dpo(const Options& o) : o_(o) {
    require(o.label_smoothing == 0 || o.loss == "sigmoid" || o.loss == "robust",
            "dpo: label_smoothing goes with the losses sigmoid and robust, not with " + std::string(o.loss));
    o.check_sync("dpo");
  }

  Plan plan() const { return {.follows_policy = o_.syncs(), .without_annotations = o_.syncs()}; }

  // A reference that never changes: asked once per pair, then freed.
  void annotate(const Train& train, const Batch& batch) const {
    const Model reference = train.model("reference");
    batch.set("reference_chosen", reference.logprob_each(batch.tokens("chosen")));
    batch.set("reference_rejected", reference.logprob_each(batch.tokens("rejected")));
  }

  Tensor loss(const Train& train, const Batch& batch) const {
    const Tokens chosen = batch.tokens("chosen"), rejected = batch.tokens("rejected");
    const Model policy = train.model("policy");
    const Tensor likely = policy.logprob_each(chosen);                                 // (E)
    const Tensor c = likely - of_reference(train, batch, chosen, "reference_chosen");  // (E)
    const Tensor r = policy.logprob_each(rejected) - of_reference(train, batch, rejected, "reference_rejected");
    train.metric("accuracy", positive(c - r));
    train.metric("margin", o_.beta * (c - r));
    train.metric("chosen_reward", o_.beta * c);
    train.metric("rejected_reward", o_.beta * r);
    const Tensor loss = sum(of_pairs(c, r, chosen, rejected)) / train.total("chosen");
    if (o_.sft == 0) return loss;
    train.metric("sft_loss", -sum(likely), sum(chosen.weights));
    return loss - o_.sft * (sum(likely) / train.total("chosen.weights"));
  }

  void after_step(const Train& train, int64_t step) const { o_.sync(train, step); }

 private:
  Tensor of_reference(const Train& train, const Batch& batch, const Tokens& answer, const char* annotated) const {
    return o_.syncs() ? train.model("reference").logprob_each(answer) : batch.column(annotated);
  }
  Tensor of_pairs(const Tensor& c, const Tensor& r, const Tokens& chosen, const Tokens& rejected) const {
    const double e = o_.label_smoothing;
    const Tensor gap = o_.beta * (c - r);
    if (o_.loss == "hinge") return relu(affine(gap, -1, 1));
    if (o_.loss == "ipo_sum") return square(c - r + -0.5 / o_.beta);
    if (o_.loss == "ipo_mean") return square(c / chosen.count_each() - r / rejected.count_each() + -0.5 / o_.beta);
    if (o_.loss == "apo_zero") return affine(sigmoid(o_.beta * r) - sigmoid(o_.beta * c), 1, 1);
    if (o_.loss == "apo_down") return affine(sigmoid(o_.beta * c) - sigmoid(gap), 1, 1);
    Tensor right = softplus(-gap);
    if (e == 0) return right;
    if (o_.loss == "robust") return (1 / (1 - 2 * e)) * ((1 - e) * right - e * softplus(gap));
    return (1 - e) * right + e * softplus(gap);
  }

  Options o_;
};

constexpr rgm_component dpo = strategy<Dpo>("dpo", "1.0.0", "Direct preference optimisation of pairs of answers");
RGM_PLUGIN("dpo", "1.0.0", "", &dpo);
