// settings.hpp - what a stage says about its training: optimizer, schedule, batches, evaluation, checkpoints.
#pragma once
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rgm {

struct OwnRate {
  std::string pattern;  // of the parameters that have it
  double learning_rate = 0;
};

struct OptimizerSpec {
  std::string kind = "adamw";  // adamw, sgd, muon
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.0, momentum = 0.0;
  std::string moments = "float32";  // of AdamW: float32, bfloat16
  std::vector<std::string> decay;   // patterns of parameters that decay; empty: matrices, but for those that scale
  std::vector<OwnRate> rates;       // in place of learning_rate; the first that matches holds

  // Of muon, with learning_rate, momentum and weight_decay. AdamW updates what is none of these matrices, with beta1,
  // beta2, epsilon, moments and what follows last.
  bool nesterov = true;
  int64_t newton_schulz_steps = 5;
  std::string scale = "match_rms_adamw";                           // match_rms_adamw, original
  std::vector<std::string> matrices = {"layers.*", "*.layers.*"};  // patterns; the second: of adapters
  std::optional<double> adamw_learning_rate, adamw_weight_decay;   // nothing: as above
  double rate_of_adamw() const { return adamw_learning_rate.value_or(learning_rate); }
  double decay_of_adamw() const { return adamw_weight_decay.value_or(weight_decay); }
};

struct StepCount {
  int64_t steps = 0;
  double percent = 0;  // above 0: this share of a stage's steps instead
  int64_t of(int64_t all) const { return percent > 0 ? std::llround(percent / 100 * double(all)) : steps; }
};

struct ScheduleSpec {
  std::string kind = "constant";                  // constant, linear, cosine, wsd
  StepCount warmup;                               // the first steps
  StepCount decay = {.steps = 0, .percent = 10};  // of wsd: the last steps
  double final = 0;                               // learning rate at the end
};

struct TrainSettings {
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
  int64_t steps = 0;  // 0: from epochs
  double epochs = 0;
  int64_t rollout_steps = 1;           // optimizer steps that learn from one rollout, where that is known
  int64_t answer_tokens = 0;           // the most that a rollout has a prompt answered with; 0: not known
  bool follows_policy = false;         // the strategy's roles with RGM_FOLLOWS
  bool annotates = true;               // where the strategy has that hook
  int64_t batch = 8, micro_batch = 0;  // micro_batch 0: the whole batch
  int64_t length = 0;                  // the most tokens of a row; 0: as many as the models have room for
  double clip = 1.0;                   // of the gradient's norm; 0: none
  int64_t evaluate_every = 0;          // steps; 0: from evaluate_epochs
  double evaluate_epochs = 0;          // 0 as well: at the end only
  int64_t patience = 0;                // evaluations in a row without a better one that end the stage; 0: none do
  int64_t checkpoint_every = 0;        // steps
  double checkpoint_minutes = 0;
  std::string keep = "last";     // last, best
  std::string best_by;           // the number that is to be best; empty: validation_loss, or else accuracy or reward
  bool highest_is_best = false;  // of that one
  double average = 0;            // decay of the mean of the trained weights that is kept; 0: they are, as they are
  int64_t ensemble = 1;          // members of the adapter, each of which reads every example
  int64_t log_every = 10;
  // sample: {prompt, tokens, temperature, top_k, top_p, min_p, repetition_penalty, stop, count}
  std::string sample_prompt;
  int64_t sample_tokens = 200, sample_count = 1, sample_top_k = 0;
  double sample_temperature = 0.8, sample_top_p = 1, sample_min_p = 0, sample_repetition_penalty = 1;
  std::vector<std::string> sample_stop;  // texts that end a sample and stay in it
};

// Of the `all` of a step that `processes` share out, so that each has some: as many as are given (0: all), or fewer.
int64_t rows_at_once(int64_t all, int64_t given, int64_t processes);
inline int64_t rows_at_once(const TrainSettings& s, int64_t processes) {
  return rows_at_once(s.batch, s.micro_batch, processes);
}

// The learning rate of step 1 ... steps.
double learning_rate(const OptimizerSpec& optimizer, const ScheduleSpec& schedule, int64_t step, int64_t steps);

}  // namespace rgm
