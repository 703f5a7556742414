// plan.hpp - what a run would do, without doing it: sizes, memory, tokens, time.
#pragma once
#include <optional>

#include "pipeline/pipeline.hpp"
#include "train/rates.hpp"

namespace rgm {

struct StagePlan {
  std::string name, strategy;
  int64_t parameters = 0, trained = 0;
  int64_t active = 0;            // of the parameters, those that a token meets: all but other tokens' experts
  std::vector<RateCount> rates;  // of those trained; empty where all have one, and one optimizer
  int64_t steps = 0, batch_rows = 0;
  int64_t chosen_rows = 0;               // at once, where the pipeline leaves that to the memory; 0: it does not
  int64_t tokens = 0;                    // that all steps read; 0: not known before it runs
  std::map<std::string, int64_t> data;   // tokens of each source in one epoch
  std::optional<uint64_t> memory_bytes;  // of the process at its peak
  std::optional<double> seconds;         // of steps and evaluations; what is annotated, sampled or saved is left out
  std::string unknown;                   // why something is not predicted
};

// What evaluations take, in steps: every `every` steps (0: at the end alone) held-out data goes forward, which is a
// third of the work of a step's passes; these are the share `passes` of a step, and the optimizer is the rest.
double evaluations_in_steps(int64_t steps, int64_t every, double held_out_tokens, double tokens_a_step,
                            double passes = 1);

// Opens every stage on a device that only counts and runs two steps of it there; where these are small, also on the
// device itself. Leaves nothing on disk.
std::vector<StagePlan> plan(const Pipeline& pipeline, Registry& registry);

}  // namespace rgm
