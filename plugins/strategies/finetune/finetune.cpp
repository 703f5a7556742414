// finetune.cpp - a trained model learns from examples: what to answer, or, with a head of its own, a label or a number.
//   next token   loss = -1/N sum over the step's N counted tokens of log p(token | those before it)
//   classify     loss = -1/E sum over the step's E examples of log softmax(head(h))[label], h of the last token
//   scalar       loss =  1/E sum of (head(h) - value)^2
// With a head over tokens only the answer's tokens count, where the data has a prompt and an answer.
#include <regimen/regimen.hpp>
using namespace regimen;

class Finetune {
 public:
  using Options = NoOptions;
  static constexpr rgm_column columns[] = {column::tokens("text"), column::label("label", RGM_OPTIONAL),
                                           column::real("value", RGM_OPTIONAL)};
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
    if (outputs_ > 1) train.metric("accuracy", sums.right, sums.count);
  }

 private:
  struct Sums {
    Tensor loss, count, right{};
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
    return {-sum(pick(log_softmax(last), *label)), count, sum(cast(equal(likeliest, *label), RGM_F32))};
  }

  int64_t outputs_ = 0;
};

constexpr rgm_component finetune =
    strategy<Finetune>("finetune", "1.0.0", "Further training on examples: of answers, of labels, or of numbers");
RGM_PLUGIN("finetune", "1.0.0", "", &finetune);
