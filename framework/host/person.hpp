// person.hpp - a strategy asks people: their ranks of answers, waited for on a page.
#pragma once
#include <string>

#include "train/session.hpp"

namespace rgm {

struct PersonsRanks {
  std::vector<int32_t> ranks;  // of the batch's examples; 0: skipped
  const std::string* rater;    // lives as long as the stage
};

// Throws Interrupted where the person interrupts the run.
PersonsRanks ask_person(rgm_train& train, const Batch& batch);

}  // namespace rgm
