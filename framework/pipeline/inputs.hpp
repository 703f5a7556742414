// inputs.hpp - one hash over everything that goes into a stage, so that what has not changed is not run again.
#pragma once
#include <nlohmann/json.hpp>

#include "pipeline/open_model.hpp"
#include "tensor/device.hpp"

namespace rgm {

// SHA-256 by name: data.<source>, template.<source>.<column>, model, <role>, reward.<n>, plugin.<id>, and `inputs`,
// which is over all of them, the effective configuration, the seed, the backend and this host; `training` leaves out
// what cannot change the weights; `configuration` is configuration_hash().
// `threads`: as threads_counted() answers.
nlohmann::ordered_json hash_inputs(const Stage& stage, size_t index, const Surroundings& around, const Device& device,
                                   uint32_t threads);

// What `training` is over, part by part; `hashes` are those of above.
nlohmann::json training_inputs(const Stage& stage, size_t index, const Surroundings& around, const Device& device,
                               nlohmann::ordered_json hashes, uint32_t threads);

// How many threads these hashes are over: those of the device. But where a run of the stage, which left `record`, goes
// on with another number of processes, those that it began with: the cores are shared out anew, and the bits are others
// in any case.
uint32_t threads_counted(const nlohmann::ordered_json& record, const Surroundings& around, const Device& device);
// What it goes by, for stage.json.
nlohmann::ordered_json made_with(const Surroundings& around, const Device& device, uint32_t counted);

// Over the values in force that can change what the stage leaves; where files lie is none of them.
std::string configuration_hash(const Stage& stage);

}  // namespace rgm
