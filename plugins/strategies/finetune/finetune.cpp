// finetune.cpp - a trained model learns from examples: what to answer, or, with a head of its own, a label or a number.
//   next token   loss = -1/N sum over the step's N counted tokens of log p(token | those before it)
//   classify     loss = -1/E sum over the step's E examples of log softmax(head(h))[label], h of the last token
//   scalar       loss =  1/E sum of (head(h) - value)^2
// Members of an ensemble, which read every example each, vote on its label; the sum of their log-probabilities breaks
// ties.
// With a head over tokens only the answer's tokens count, where the data has a prompt and an answer.
#include <algorithm>
#include <regimen/regimen.hpp>
using namespace regimen;

class Finetune {
 public:
  using Options = NoOptions;
  static constexpr bool capturable = true;
  static constexpr rgm_column columns[] = {column::tokens("text"), column::label("label", RGM_OPTIONAL),
                                           column::real("value", RGM_OPTIONAL | RGM_OF_HEAD)};
  // A tenth and less of what pre-training takes: most of what the model knows should stay.
  static constexpr rgm_attr defaults[] = {
      attr("optimizer.adamw.learning_rate", 1e-4), attr("optimizer.adamw.weight_decay", 0.01), attr("clip", 1.0), {}};

  explicit Finetune(const Options&) {}

  void prepare(const Train& train) { outputs_ = train.model("policy").info().labels; }

  Tensor loss(const Train& train, const Batch& batch) const {
    const Sums sums = look(train, batch);
    if (outputs_ > 1) train.metric("accuracy", sums.right, sums.count);
    return sums.loss / (outputs_ > 0 ? train.total("text") : train.total("text.weights"));
  }

  void evaluate(const Train& train, const Batch& batch) const {
    const Sums sums = look(train, batch);
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

  Sums look(const Train& train, const Batch& batch) const {
    const Tokens text = batch.tokens("text");
    const Model model = train.model("policy");
    if (outputs_ == 0) return {model.cross_entropy(text, text.weights), sum(text.weights)};
    const Tensor last = gather(reshape(model.head(text), {-1, outputs_}), 0, text.ends);  // (E, outputs)
    const Tensor count = full({}, double(text.examples()));
    if (outputs_ == 1) {
      const auto value = batch.find("value");
      require(value.has_value(), "finetune: the model's head is a number, and the data has no column \"value\"");
      return {sum(square(reshape(last, {-1}) - *value)), count};
    }
    const auto label = batch.find("label");
    require(label.has_value(), "finetune: the model's head has labels, and the data has no column \"label\"");
    const Tensor likeliest = reshape(top_k(last, 1)[1], {-1});
    const Tensor logprobs = log_softmax(last);
    return {-sum(pick(logprobs, *label)), count, sum(cast(equal(likeliest, *label), RGM_F32)), logprobs};
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

  int64_t outputs_ = 0;
};

constexpr rgm_component finetune =
    strategy<Finetune>("finetune", "1.0.0", "Further training on examples: of answers, of labels, or of numbers");
RGM_PLUGIN("finetune", "1.0.0", "", &finetune);
