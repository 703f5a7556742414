// merged.hpp - adapters folded into the weights that they act on, with a check that the answers stay the same.
#pragma once
#include <string>
#include <string_view>

#include "host/adapters.hpp"

namespace rgm {

// Answers by how much of the largest logit the model's answers to random tokens differ then. RGM_INVALID where an
// adapter cannot be merged, with `otherwise` as the next step; another error where the answers are not the same. Both
// begin with `what`.
double merge_and_compare(const std::string& what, const Model& model, Adapters& adapters, std::string_view otherwise);

}  // namespace rgm
