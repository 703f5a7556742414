// run_stage.hpp - one stage from opening to what it leaves on disk.
#pragma once
#include "pipeline/record.hpp"

namespace rgm {

// The stage was finished with the same inputs, and what it left is still there.
bool is_done(const Record& record, const Record& hashes, const fs::path& folder, const fs::path& cache);

// What only a stage that is not finished needs: who is killed right after the end leaves it behind.
void remove_checkpoints(const fs::path& folder);

// Trains, resuming by itself, and writes model/ or adapter/, then stage.json. `anew` drops the checkpoints first.
void run_stage(const Stage& stage, size_t index, const Surroundings& around, const Record& hashes, bool anew);

}  // namespace rgm
