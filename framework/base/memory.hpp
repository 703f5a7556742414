// memory.hpp - what the system says about memory: this process's, and what is left for it.
#pragma once
#include <cstdint>

namespace rgm {

uint64_t peak_memory();    // bytes that this process had resident at most since reset_peak_memory()
uint64_t memory_in_use();  // bytes resident now
void reset_peak_memory();
void keep_freed_memory();  // from now on it keeps more of them, so that a step asks the system for nothing
void give_back_memory();   // what the C library keeps of blocks that were freed goes back to the system

uint64_t machine_memory();  // all there is
// Bytes that this process can still take before something is killed or refused: what the machine has free or can free,
// within the limits of its control groups (version 2) and of `ulimit -v`. 0 where the system does not tell.
uint64_t free_memory();

}  // namespace rgm
