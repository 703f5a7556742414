// memory_need.hpp - how much memory the steps of a stage take, from two of them on a device that only counts, and how
// much there is.
#pragma once
#include <optional>

#include "pipeline/open_model.hpp"
#include "tensor/device.hpp"

namespace rgm {

// What a step may take: of the machine, for the process as its limits have it, or of a device with memory of its own.
struct MemoryRoom {
  uint64_t bytes = 0;  // 0: the system does not tell
  bool is_machines = true;
};
// The processes on this machine that run together share what is its own.
MemoryRoom memory_room(const Device& device);

struct MemoryNeed {
  uint64_t bytes = 0, weights = 0, training = 0;  // the last: gradients, moments and average
  int64_t rows = 0;                               // at once
};

// A part of the room that what is chosen or advised may fill: what is counted is within a tenth.
inline constexpr double wanted_share = 0.9;

// Of the stage on the current device. Where its sizes alone show that it fits, more than it takes, and no parts.
// Nothing where it cannot be counted: what is wrong with the stage, the run itself says best.
std::optional<MemoryNeed> memory_need(const Stage& stage, size_t index, const Surroundings& around,
                                      const MemoryRoom& room);

}  // namespace rgm
