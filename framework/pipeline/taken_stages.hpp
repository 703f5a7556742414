// taken_stages.hpp - whether what earlier stages have left can be built on.
#pragma once
#include "pipeline/record.hpp"

namespace rgm {

// What later stages build on has to be good enough: fails where the stage's result is not as its `demand` wants it.
void require_demands(const Stage& stage, const fs::path& folder);
// Alone, a stage builds on what earlier ones have left: whole, good enough, and made of what the pipeline has now. So
// do they.
void check_taken(const Stage& stage, const Surroundings& around, const Device& device);

}  // namespace rgm
