// gkd.cpp - on-policy distillation: the student answers prompts and learns the teacher's distributions on its own
// answers, beside which it may go on learning from given texts (generalised knowledge distillation, arXiv 2306.13649).
// With D, p, q and tau of regimen/teacher.hpp, and lambda = on_policy,
//   loss = lambda * mean over tokens of the answers of  tau^2 * D(p, q)
//        + (1 - lambda) * mean over tokens of the texts of  (1 - share) * -log q(token)  +  share * tau^2 * D(p, q)
// The paper takes answers or texts, by a coin that falls with lambda; a step takes both here, so that its loss is the
// coin's mean. No gradient flows through the drawing of answers. Each step has fresh ones, unless `epochs` and
// `minibatches` make more steps of a batch of them: D is exact wherever it is taken, so older answers need no ratio,
// and they may be drawn with top_k, top_p and min_p.
#include <regimen/regimen.hpp>
using namespace regimen;

struct GkdOptions : OnlineSampling, Teaching {
  constexpr GkdOptions() { divergence = "reverse"; }

  double on_policy = 1;
  std::optional<double> share;

  using O = GkdOptions;
  static constexpr auto list = options(
      option("on_policy", &O::on_policy,
             "weight of the student's own answers; the texts of the source `train` have the rest")
          .range(0.01, 1),
      Teaching::list,
      option("share", &O::share, "of the texts, the teacher's share in the loss; the text has the rest; unset: 1")
          .range(0, 1),
      Part::max_tokens,
      option("sampling_temperature", &O::temperature, "of the answers; 0 takes the likeliest token").range(0, 10),
      Part::top_k, Part::by_probability, Part::stop, rounds);

  bool reads_texts() const { return on_policy < 1; }
};

class Gkd {
 public:
  using Options = GkdOptions;
  static constexpr bool without_dropout = true;
  static constexpr bool evaluates_apart = true;
  static constexpr rgm_column columns[] = {column::tokens("prompt"), column::tokens("train.text", RGM_OPTIONAL)};
  static constexpr rgm_role roles[] = {role("teacher")};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-4), attr("clip", 1.0), {}};

  explicit Gkd(const Options& o) : o_(o) {
    o.check("gkd");
    o.check_teaching("gkd");
    require(!o.share || o.reads_texts(),
            "gkd: share is the teacher's in the loss of given texts, and with on_policy: 1 there are none: add "
            "on_policy: 0.5, or leave share out");
  }

  Plan plan() const {
    Plan plan = o_.plan(1);
    plan.needs_reward = false;
    plan.reads_one_source = !o_.reads_texts();
    plan.needs_all_sources = o_.reads_texts();
    return plan;
  }

  // Answers are kept short enough for both models; texts are cut for the student.
  void prepare(const Train& train) const {
    const int64_t own = train.model("policy").info().context, theirs = train.model("teacher").info().context;
    const std::string most = std::to_string(theirs);
    require(!o_.reads_texts() || theirs >= own, "gkd: the teacher has room for " + most +
                                                    " tokens, and texts may have the student's " + std::to_string(own) +
                                                    ": add length: " + most + " to the stage");
  }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch batch = o_.generate(train, train.model("policy"), prompts, 1);
    const Tokens answers = batch.tokens("completion");
    train.metric("length", answers.sum_each(answers.weights));
    train.metric("finished", cast(batch.column("finished"), RGM_F32));
    return o_.experience(batch);
  }

  Tensor loss(const Train& train, const Batch& batch) const {
    const Tensor of_answers = pull(train, batch, "completion", "divergence");
    if (!o_.reads_texts()) return of_answers;
    const double share = o_.share.value_or(1);
    Tensor of_texts = share * pull(train, batch, "train.text", "text_divergence");
    if (share < 1) {
      const Tokens text = batch.tokens("train.text");
      const Tensor weights = text.weights / train.total("train.text.weights");
      of_texts = of_texts + (1 - share) * train.model("policy").cross_entropy(text, weights);
    }
    return o_.on_policy * of_answers + (1 - o_.on_policy) * of_texts;
  }

  // On held-out prompts: how far the student is from the teacher where its own answers lead.
  void evaluate(const Train& train, const Batch& prompts) const {
    const Batch batch = o_.generate(train, train.model("policy"), prompts, 1);
    const Tokens answers = batch.tokens("completion");
    train.metric("divergence", o_.apart(train, answers, answers.weights), sum(answers.weights));
    train.metric("length", answers.sum_each(answers.weights));
  }

 private:
  // The mean of tau^2 * D over the tokens of a column that count.
  Tensor pull(const Train& train, const Batch& batch, const std::string& column, const char* metric) const {
    const Tokens tokens = batch.tokens(column);
    const Tensor total = train.total((column + ".weights").c_str());
    const Tensor apart = o_.apart(train, tokens, tokens.weights / total);
    train.metric(metric, apart * total, sum(tokens.weights));
    return (o_.softness * o_.softness) * apart;
  }

  Options o_;
};

constexpr rgm_component gkd =
    strategy<Gkd>("gkd", "1.0.0", "Learns a teacher's distributions on the student's answers");
RGM_PLUGIN("gkd", "1.0.0", "", &gkd);
