// sampling.hpp - the options of a strategy that draws answers: one place for their names, defaults, ranges, help and
// messages. A struct of options inherits them, and its list names theirs:
//   struct MineOptions : Sampling {
//     int64_t answers = 4;
//     static constexpr auto list =
//         options(option("answers", &MineOptions::answers, "answers to each prompt").range(1, 1024), Sampling::list);
//   };
// The strategy's constructor calls o.check("mine"), its rollout o.generate(train, model, prompts, o.answers). One that
// learns from the answers takes OnlineSampling in place of Sampling.
#pragma once
#include <string>
#include <vector>

#include "strategy.hpp"

namespace regimen RGM_PRIVATE {

struct Sampling {
  int64_t max_tokens = 64, top_k = 0;
  double temperature = 1, top_p = 1, min_p = 0, repetition_penalty = 1;
  std::span<const rgm_str> stop;

  // What a list is made of, in the usual order, with one of the temperatures. What is not listed keeps its default.
  struct Part {
    static constexpr auto max_tokens =
        option("max_tokens", &Sampling::max_tokens, "longest answer, in tokens").at_least(1);
    static constexpr auto temperature =
        option("temperature", &Sampling::temperature, "temperature of sampling").range(0.01, 10);
    static constexpr auto temperature_from_0 =
        option("temperature", &Sampling::temperature, "0 takes the likeliest token").range(0, 10);
    // For a loss that compares probabilities with those of the draw: they are divided by it, too, so it is never 0.
    static constexpr auto temperature_of_all =
        option("temperature", &Sampling::temperature, "temperature of sampling and of all probabilities")
            .range(0.01, 10);
    static constexpr auto top_k =
        option("top_k", &Sampling::top_k, "how many of the likeliest tokens may be drawn; 0: all").at_least(0);
    // What leaves out tokens by their probability.
    static constexpr auto by_probability = options(
        option("top_p", &Sampling::top_p, "draws from the likeliest tokens with this share of probability")
            .range(0.01, 1),
        option("min_p", &Sampling::min_p,
               "draws no token with less than this share of the likeliest one's probability; 0: off")
            .range(0, 1));
    // For answers that are kept as they are: a loss that compares probabilities of the draw knows nothing of it.
    static constexpr auto repetition_penalty =
        option("repetition_penalty", &Sampling::repetition_penalty,
               "logits of tokens in the prompt or the answer are divided by it if positive, else multiplied; 1: off")
            .range(0.01, 100);
    static constexpr auto stop = option("stop", &Sampling::stop, "texts that end an answer, and stay in it");
  };
  static constexpr auto list =
      options(Part::max_tokens, Part::temperature_from_0, Part::top_k, Part::by_probability, Part::repetition_penalty,
              Part::stop);

  // Rejects what no range can, in the name of the strategy.
  void check(const std::string& id) const {
    for (const rgm_str& text : stop)
      require(text.size > 0, id + ": stop has an empty text, which ends nothing: leave it out");
  }

  // [outside] `answers` to each prompt, as rgm_train_api.generate describes them. A setting that an older host does not
  // know belongs here only where it is not its default, so that all others keep working there.
  Batch generate(const Train& train, const Model& model, const Batch& prompts, int64_t answers) const {
    std::vector<rgm_attr> settings = {attr("answers", answers),         attr("max_tokens", max_tokens),
                                      attr("temperature", temperature), attr("top_k", top_k),
                                      attr("top_p", top_p),             attr("stop", stop)};
    if (min_p > 0) settings.push_back(attr("min_p", min_p));
    if (repetition_penalty != 1) settings.push_back(attr("repetition_penalty", repetition_penalty));
    return train.generate(model, prompts, settings);
  }
};

// Of a strategy whose rollout returns experience(batch): it goes through the answers `epochs` times, in `minibatches`
// steps each.
struct OnlineSampling : Sampling {
  int64_t epochs = 1, minibatches = 1;

  // Without top_k, top_p, min_p and repetition_penalty: a loss compares probabilities before these, so answers are drawn
  // from all tokens as likely as they are.
  static constexpr auto list = options(Part::max_tokens, Part::temperature_of_all, Part::stop);
  static constexpr auto rounds =
      options(option("epochs", &OnlineSampling::epochs, "how often each batch of answers is learned from")
                  .range(1, 100),
              option("minibatches", &OnlineSampling::minibatches, "optimizer steps per epoch").range(1, 1024));

  // To be told from the strategy's own plan(): each prompt becomes so many examples, which a reward scores.
  Plan plan(int64_t answers) const {
    return {.needs_reward = true,
            .epochs = epochs,
            .steps = minibatches,
            .units = answers,
            .answer_tokens = max_tokens};
  }
  Experience experience(const Batch& batch) const { return {batch, epochs, minibatches}; }
};

}  // namespace regimen
