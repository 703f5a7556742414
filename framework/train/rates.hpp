// rates.hpp - learning rates of their own: which parameters have one, by patterns of their names, and how many do.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/parameters.hpp"
#include "train/settings.hpp"

namespace rgm {

// Before the schedule scales it.
double rate_of(const OptimizerSpec& optimizer, const Parameter& parameter);

// RGM_INVALID, for the `stage`, where nothing that is trained goes by one of the patterns.
void check_rates(const OptimizerSpec& optimizer, std::span<Parameters* const> stores, const std::string& stage);

// A warning for each pattern of `decay` and `matrices` that means nothing that is trained.
void warn_of_patterns(const OptimizerSpec& optimizer, std::span<Parameters* const> stores, const std::string& stage);

struct RateCount {
  std::string pattern;  // empty: of all parameters that match none
  double learning_rate = 0;
  int64_t parameters = 0;      // elements that are trained
  std::string optimizer = {};  // muon or adamw, where the stage has both
};
// In the order of the patterns, and all others last: those that something goes by.
std::vector<RateCount> count_rates(const OptimizerSpec& optimizer, std::span<Parameters* const> stores);

}  // namespace rgm
