// @NAME@.cpp - next-token prediction in which tokens that the model already knows count less: a token's loss is
// weighted by 1 - discount p, where p is the probability that the model gives it.
#include <regimen/regimen.hpp>
using namespace regimen;

struct @CLASS@Options {
  double discount = 0.5;

  static constexpr auto list =
      options(option("discount", &@CLASS@Options::discount, "how much less a certain token counts").range(0, 1));
};

class @CLASS@ {
 public:
  using Options = @CLASS@Options;
  static constexpr rgm_column columns[] = {column::tokens("text")};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-3), {}};

  explicit @CLASS@(const Options& o) : o_(o) {}

  // The host adds up the losses of a step's micro-batches, so divide by the total over the step, never by the batch's.
  Tensor loss(const Train& train, const Batch& batch) const {
    const Tokens text = batch.tokens("text");
    const Tensor logprobs = train.model("policy").logprobs(text);                        // (B, T)
    const Tensor weights = text.weights * (-o_.discount * exp(detach(logprobs)) + 1.0);  // no gradient through p
    train.metric("weight", sum(weights), sum(text.weights));
    return -sum(weights * logprobs) / train.total("text.weights");
  }

 private:
  Options o_;
};

constexpr rgm_component component = strategy<@CLASS@>("@NAME@", "0.1.0", "Next-token prediction, known tokens less");
RGM_PLUGIN("@NAME@", "0.1.0", "", &component);
