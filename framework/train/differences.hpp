// differences.hpp - what two descriptions of the same thing say otherwise, for people.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace rgm {

// `micro_batch (4, now 6), threads (2, now 1), data.train`: values where they are short, and no hashes. Of what a stage
// is made of, `configuration` and `hashes` are no part of the names. Empty where both are the same.
std::string differences_for_people(const nlohmann::json& before, const nlohmann::json& now);

}  // namespace rgm
