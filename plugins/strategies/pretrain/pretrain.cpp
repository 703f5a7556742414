// pretrain.cpp - next-token prediction: the cross entropy of every token of the text that something precedes.
//   loss = -1/N sum over the step's N predicted tokens of log p(token | the tokens before it)
#include <regimen/regimen.hpp>
using namespace regimen;

class Pretrain {
 public:
  using Options = NoOptions;
  static constexpr bool capturable = true;
  static constexpr rgm_column columns[] = {column::tokens("text")};
  // What trains small models well; large ones want a lower rate (arXiv 2005.14165, table 2.1).
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-3),
                                          attr("optimizer.adamw.beta2", 0.99),
                                          attr("optimizer.adamw.weight_decay", 0.1),
                                          attr("clip", 1.0),
                                          {}};

  explicit Pretrain(const Options&) {}

  // The first token of a document has weight 0 already. The host adds up the losses of a step's micro-batches, so the
  // sum is divided by the tokens of the whole step, never by those of this batch.
  Tensor loss(const Train& train, const Batch& batch) const {
    const Tokens text = batch.tokens("text");
    return train.model("policy").cross_entropy(text, text.weights / train.total("text.weights"));
  }
};

constexpr rgm_component pretrain = strategy<Pretrain>("pretrain", "1.0.0", "Next-token prediction on text");
RGM_PLUGIN("pretrain", "1.0.0", "", &pretrain);
