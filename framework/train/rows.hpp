// rows.hpp - a strategy that trains nothing: its rollouts are run over the data once, and what they answer is written
// as rows of rows.jsonl.
#pragma once
#include "train/trainer.hpp"

namespace rgm {

// Goes on behind the batches that an interrupted run has finished.
TrainResult write_rows(TrainSetup& setup, void* self);

}  // namespace rgm
