// micro_batch.hpp - `micro_batch: auto`: as many rows at once as fit into the memory that there is when a stage begins.
#pragma once
#include <functional>
#include <optional>

#include "pipeline/open_model.hpp"

namespace rgm {

// The stage with the number that is chosen now, for who keeps nothing of it; as it is where the pipeline says one.
Stage with_rows_at_once(const Stage& stage, size_t index, const Surroundings& around);
// Of a run: what it chose for these inputs before counts, whatever memory is free now, so that a resumed run has the
// same bits. `training_sha256` is as in TrainSetup.
Stage with_rows_of_run(const Stage& stage, size_t index, const Surroundings& around,
                       const std::string& training_sha256);
// Where a run keeps it, in the folder of a stage.
inline constexpr const char* chosen_file = "chosen.json";

// The most rows at once, at most `batch`, whose `need` is within `most` bytes; 1 where that is more, and `batch` where
// it is not known.
int64_t rows_within(double most, int64_t batch, const std::function<std::optional<uint64_t>(int64_t rows)>& need);

}  // namespace rgm
