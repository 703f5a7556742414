// trainer.hpp - the loop: batches, micro-batches, gradients, clipping, schedule, evaluation, checkpoints, metrics. It
// knows strategies only through their table.
#pragma once
#include <regimen/abi/strategy.h>

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "generate/choices.hpp"
#include "tensor/plugin_call.hpp"
#include "train/session.hpp"
#include "train/settings.hpp"

namespace rgm {

struct TrainSetup {
  TrainSettings settings;
  const rgm_strategy* strategy = nullptr;
  const rgm_config* config = nullptr;                      // of the strategy
  std::string strategy_id, strategy_name;                  // the second for messages, with its file
  rgm_train* train = nullptr;                              // roles, rewards and wishes filled in
  std::vector<Parameters*> parameters;                     // all stores with something trained or to be checkpointed
  std::map<std::string, std::unique_ptr<Source>> sources;  // by the pipeline's names
  std::string main_source;                                 // "train", "prompts" ...
  std::vector<ChoiceQuestion> choices;                     // the policy is asked in every evaluation; may be empty
  fs::path folder;                                         // of the stage
  std::function<void()> check_folder;                      // throws where that is no longer the run's; may be empty
  std::string inputs_sha256;                               // of everything that goes in
  std::string training_sha256;     // of what can change the weights: a checkpoint of another is not resumed
  nlohmann::json training_inputs;  // what that hash is over, so that what differs can be told
  double flops_per_token = 0;
  bool captures = true;   // steps that repeat, where the device can; a plan times them one by one
  bool is_trial = false;  // a few steps, of which nothing is kept: only what they draw is annotated
  // With the tokens read so far. False: the stage ends there, as if its steps were done.
  std::function<bool(int64_t step, int64_t tokens)> after_step;
};

struct TrainResult {
  nlohmann::json result = nlohmann::json::object();  // stage.json's result
  nlohmann::json samples = nlohmann::json::array();
  nlohmann::json timings = nlohmann::json::object();
};

// Runs the stage from its newest checkpoint, or from the start. Throws Interrupted after writing a checkpoint. Where
// several processes run it, each computes its share of every step, and the first one alone writes; one that trains
// nothing is a process's own.
TrainResult train(TrainSetup& setup);
// RGM_INVALID where not each of them has a row of a step.
void require_enough_rows(const std::string& stage, int64_t batch, int64_t processes);
// Its beginning alone: models by role, and what the strategy prepares with them.
void prepare_only(TrainSetup& setup);
// How many steps it has, of the optimizer or, where nothing is trained, of writing rows.
int64_t steps_of(const TrainSetup& setup);
// 0: it is evaluated at its end only.
int64_t steps_between_evaluations(const TrainSetup& setup);

}  // namespace rgm
