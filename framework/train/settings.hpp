// settings.hpp - what a stage says about its training: optimizer, schedule, batches, evaluation, checkpoints.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace rgm {

struct OptimizerSpec {
  std::string kind = "adamw";  // adamw, sgd
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.0, momentum = 0.0;
  std::string moments = "float32";  // of AdamW: float32, bfloat16
  std::vector<std::string> decay;   // patterns of parameters that decay; empty: matrices, but for those that scale
};

struct ScheduleSpec {
  std::string kind = "constant";  // constant, linear, cosine
  int64_t warmup = 0;             // steps
  double final = 0;               // learning rate at the end
};

struct TrainSettings {
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
  int64_t steps = 0;  // 0: from epochs
  double epochs = 0;
  int64_t rollout_steps = 1;           // optimizer steps that learn from one rollout, where that is known
  int64_t answer_tokens = 0;           // the most that a rollout has a prompt answered with; 0: not known
  int64_t batch = 8, micro_batch = 0;  // micro_batch 0: the whole batch
  double clip = 1.0;                   // of the gradient's norm; 0: none
  int64_t evaluate_every = 0;          // steps; 0: at the end only
  int64_t checkpoint_every = 0;        // steps
  double checkpoint_minutes = 0;
  std::string keep = "last";  // last, best
  int64_t ensemble = 1;       // members of the adapter, each of which reads every example
  int64_t log_every = 10;
  std::string sample_prompt;  // sample: {prompt, tokens, temperature, top_k, top_p, count}
  int64_t sample_tokens = 200, sample_count = 1, sample_top_k = 0;
  double sample_temperature = 0.8, sample_top_p = 1;
};

// The learning rate of step 1 ... steps.
double learning_rate(const OptimizerSpec& optimizer, const ScheduleSpec& schedule, int64_t step, int64_t steps);

}  // namespace rgm
