// finetune.cpp - a trained model learns from examples: what to answer, or, with a head of its own, a label or a number.
//   next token   loss = -1/N sum over the step's N counted tokens of log p(token | those before it)
//   classify     loss = -1/E sum over the step's E examples of log softmax(head(h))[label], h of the last token;
//                with label smoothing s (arXiv 1512.00567) a share s of it is the mean over all labels, and with class
//                weights each example counts by that of its label. The validation loss has neither.
//   scalar       loss =  1/E sum of (head(h) - value)^2
// Members of an ensemble, which read every example each, vote on its label; the sum of their log-probabilities breaks
// ties.
// With a head over tokens only the answer's tokens count, where the data has a prompt and an answer.
#include <algorithm>
#include <regimen/regimen.hpp>
using namespace regimen;

struct FinetuneOptions {
  double label_smoothing = 0;
  std::span<const double> class_weights;

  using O = FinetuneOptions;
  static constexpr auto list = options(
      option("label_smoothing", &O::label_smoothing, "of a classifier: share of the loss that goes to all labels")
          .range(0, 0.99),
      option("class_weights", &O::class_weights, "of a classifier: how much an example of each label counts")
          .range(0, 1e6));
};

class Finetune {
 public:
  using Options = FinetuneOptions;
  static constexpr bool capturable = true;
  static constexpr bool evaluates_apart = true;
  static constexpr rgm_column columns[] = {column::tokens("text"), column::label("label", RGM_OPTIONAL),
                                           column::real("value", RGM_OPTIONAL | RGM_OF_HEAD)};
  // A tenth and less of what pre-training takes: most of what the model knows should stay.
  static constexpr rgm_attr defaults[] = {
      attr("optimizer.adamw.learning_rate", 1e-4), attr("optimizer.adamw.weight_decay", 0.01), attr("clip", 1.0), {}};

  explicit Finetune(const Options& o) : o_(o) {}

  void prepare(const Train& train) {
    outputs_ = train.model("policy").info().labels;
    require(outputs_ > 1 || (o_.label_smoothing == 0 && o_.class_weights.empty()),
            "finetune: label_smoothing and class_weights are for a model with labels, as in head: {classify: {labels: "
            "[...]}}");
    require(o_.class_weights.empty() || int64_t(o_.class_weights.size()) == outputs_,
            "finetune: class_weights has " + std::to_string(o_.class_weights.size()) +
                " numbers, one was expected for each of the " + std::to_string(outputs_) + " labels");
    if (o_.class_weights.empty()) return;
    require(std::any_of(o_.class_weights.begin(), o_.class_weights.end(), [](double w) { return w > 0; }),
            "finetune: class_weights are all 0, so no example would count: give at least one label more");
    const std::vector<float> weights(o_.class_weights.begin(), o_.class_weights.end());
    weights_ = write(weights, {outputs_});
  }

  Tensor loss(const Train& train, const Batch& batch) const {
    const Sums sums = look(train, batch, true);
    if (outputs_ > 1) train.metric("accuracy", sums.right, sums.count);
    return sums.loss / (outputs_ > 0 ? train.total("text") : train.total("text.weights"));
  }

  void evaluate(const Train& train, const Batch& batch) const {
    const Sums sums = look(train, batch, false);
    train.metric("validation_loss", sums.loss, sums.count);
    if (outputs_ < 2) return;
    const auto member = batch.find("member");
    train.metric(member ? "member_accuracy" : "accuracy", sums.right, sums.count);
    if (member) vote(train, batch, sums.logprobs);
  }

 private:
  struct Sums {
    Tensor loss, count, right{}, logprobs{};
  };

  Sums look(const Train& train, const Batch& batch, bool is_learned) const {
    const Tokens text = batch.tokens("text");
    const Model model = train.model("policy");
    if (outputs_ == 0) return {model.cross_entropy(text, text.weights), sum(text.weights)};
    const Tensor last = gather(reshape(model.head(text), {-1, outputs_}), 0, text.ends);  // (E, outputs)
    const Tensor count = full({}, double(text.examples()));
    if (outputs_ == 1) {
      const auto value = batch.find("value");
      require(value.has_value(), "finetune: the model's head predicts a number, but the data has no column \"value\"");
      return {sum(square(reshape(last, {-1}) - *value)), count};
    }
    const auto label = batch.find("label");
    require(label.has_value(), "finetune: the model's head has labels, but the data has no column \"label\"");
    const Tensor likeliest = reshape(top_k(last, 1)[1], {-1});
    const Tensor logprobs = log_softmax(last);
    const Tensor cost = is_learned ? cost_of(logprobs, *label) : -pick(logprobs, *label);
    return {sum(cost), count, sum(cast(equal(likeliest, *label), RGM_F32)), logprobs};
  }

  Tensor cost_of(const Tensor& logprobs, const Tensor& label) const {  // (E, outputs), (E) -> (E)
    const double s = o_.label_smoothing;
    Tensor cost = -pick(logprobs, label);
    if (s > 0) cost = (1 - s) * cost - s * mean(logprobs, -1);
    return weights_ ? cost * gather(weights_, 0, label) : cost;
  }

  // Example e of E is example e + m E of member m.
  void vote(const Train& train, const Batch& batch, const Tensor& logprobs) const {
    const std::vector<float> all = read(logprobs);  // (members E, outputs)
    const std::vector<int32_t> label = read<int32_t>(*batch.find("label")),
                               member = read<int32_t>(*batch.find("member"));
    const auto outputs = size_t(outputs_), n = label.size() / size_t(member.back() + 1);
    double right = 0;
    for (size_t e = 0; e < n; ++e) {
      std::vector<std::pair<int, double>> votes(outputs);
      for (size_t i = e; i < label.size(); i += n) {
        const auto own = all.begin() + ptrdiff_t(i * outputs);
        ++votes[size_t(std::max_element(own, own + ptrdiff_t(outputs)) - own)].first;
        for (size_t c = 0; c < outputs; ++c) votes[c].second += double(own[ptrdiff_t(c)]);
      }
      right += std::max_element(votes.begin(), votes.end()) - votes.begin() == label[e];
    }
    train.metric("accuracy", full({}, right), full({}, double(n)));
  }

  Options o_;
  int64_t outputs_ = 0;
  Tensor weights_;  // (outputs) of the labels, if they differ
};

constexpr rgm_component finetune =
    strategy<Finetune>("finetune", "1.0.0", "Further training on examples: of answers, of labels, or of numbers");
RGM_PLUGIN("finetune", "1.0.0", "", &finetune);
