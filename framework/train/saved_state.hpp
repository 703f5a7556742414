// saved_state.hpp - what a checkpoint holds of a stage: trained parameters, buffers, moments, their mean, models that
// follow the policy, where the data stands, and the experience at hand. All else is made again by running the same
// code.
#pragma once
#include <nlohmann/json.hpp>

#include "artefact/checkpoint.hpp"
#include "train/average.hpp"
#include "train/feed.hpp"
#include "train/optimizer.hpp"

namespace rgm {

// Writes step-N. `more` is kept in state.json.
void save_state(Checkpoints& checkpoints, int64_t step, const nlohmann::json& more, const TrainSetup& setup,
                const Optimizer& optimizer, const Average& average, const Feed& feed);
// Puts everything back as it was; RGM_INVALID when a tensor is missing or of another shape.
void load_state(const Checkpoint& checkpoint, TrainSetup& setup, const Optimizer& optimizer, const Average& average,
                Feed& feed);

// The trained parameters and buffers alone: the best so far, where the best is kept.
void save_weights(const fs::path& file, const TrainSetup& setup);
void load_weights(const fs::path& file, TrainSetup& setup);

}  // namespace rgm
