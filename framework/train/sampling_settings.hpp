// sampling_settings.hpp - how answers are sampled, as a plug-in asks for it: rgm_train_api.generate.
#pragma once
#include <regimen/abi/strategy.h>

#include <span>

#include "generate/generate.hpp"

namespace rgm {

// RGM_INVALID, naming the setting, where one is unknown or out of range. What is not there keeps its default.
Sampling read_sampling(std::span<const rgm_attr> attrs);

}  // namespace rgm
