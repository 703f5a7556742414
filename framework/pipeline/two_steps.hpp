// two_steps.hpp - two steps of a stage as they would be, aside: on a device that only counts they tell the memory.
#pragma once
#include "pipeline/open_stage.hpp"
#include "tensor/device.hpp"

namespace rgm {

// Runs them with what a stage writes, if it `writes`, in `folder`; the second finds the memory that the first has left.
// Answers the seconds of the second.
double two_steps(OpenedStage& opened, const fs::path& folder, bool writes);

// The most memory that the device gives away in two steps, from the counts of a device that does nothing. A backend's
// own scratch memory is not in it, which only the backend knows.
uint64_t dry_device_bytes(OpenedStage& opened, const fs::path& folder, const Device& dry);

}  // namespace rgm
