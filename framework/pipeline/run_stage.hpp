// run_stage.hpp - one stage from opening to what it leaves on disk.
#pragma once
#include "pipeline/record.hpp"

namespace rgm {

// Trains, resuming by itself, and writes model/ or adapter/, then stage.json. `anew` drops the checkpoints first.
// `hashes` are over `threads`. What trains nothing, the first of several processes runs by itself.
void run_stage(const Stage& stage, size_t index, const Surroundings& around, const Record& hashes, uint32_t threads,
               bool anew);

}  // namespace rgm
