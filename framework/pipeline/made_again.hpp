// made_again.hpp - what differs from the time when a stage was finished, in words for people.
#pragma once
#include "pipeline/record.hpp"

namespace rgm {

// Where two configurations have other values, as "optimizer.adamw.learning_rate": of those that can change what a stage
// leaves.
std::string differing(const nlohmann::json& one, const nlohmann::json& other);

// Why a finished stage is made again; `hashes` are those of hash_inputs() now.
std::string why_again(const Stage& stage, const Record& before, const Record& hashes);

}  // namespace rgm
