// memory_check.hpp - whether the steps of a stage fit into memory, told before any is taken.
#pragma once
#include "pipeline/open_model.hpp"
#include "tensor/device.hpp"

namespace rgm {

// RGM_INVALID with what the stage needs, what there is, and the setting that makes it fit. Says nothing of what cannot
// be known before a stage runs: where answers are sampled, and of what others take meanwhile.
void check_memory(const Stage& stage, size_t index, const Surroundings& around);

}  // namespace rgm
