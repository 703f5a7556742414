// report_stage.hpp - one stage of a run as a section of the report, and the numbers that sum it up.
#pragma once
#include <string>

#include "train/report_run.hpp"

namespace rgm::report {

struct Outcome {  // NaN: not known
  double loss, validation_loss, accuracy, steps, tokens, seconds, tokens_per_second;
  double reward, judged, judged_before;           // of answers; the share that a judge likes
  bool is_held_out_accuracy, is_held_out_reward;  // else of what is trained on
  bool is_of_tokens;  // the loss is the mean surprise of a text's tokens, whose exponential means something
};
Outcome outcome(const StageRecord& stage);
std::string status(const StageRecord& stage);  // done, interrupted, running; empty when nothing was written

std::string stage_section(const StageRecord& stage);

}  // namespace rgm::report
