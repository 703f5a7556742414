// same_weights.hpp - whether the processes of a stage still hold the same weights.
#pragma once
#include "train/trainer.hpp"

namespace rgm {

// RGM_INTERNAL in all of them where they do not, naming the first parameter or buffer that differs, and where; waits.
void require_same_weights(const TrainSetup& setup, int64_t step);

}  // namespace rgm
