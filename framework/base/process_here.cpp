// process_here.cpp - set once as a run begins, read by whoever opens a device.
#include "base/process_here.hpp"

#include <algorithm>
#include <atomic>

namespace rgm {
namespace {
std::atomic<uint64_t> number_and_count{1};  // in one: clang has no lock-free atomic of a struct
}

ProcessHere process_here() {
  const uint64_t both = number_and_count;
  return {static_cast<uint32_t>(both >> 32), static_cast<uint32_t>(both)};
}
void set_process_here(ProcessHere here) {
  number_and_count = uint64_t{here.number} << 32 | std::max(here.count, uint32_t{1});
}

void tell_process_here(uint32_t* number, uint32_t* count) {
  const ProcessHere here = process_here();
  if (number) *number = here.number;
  if (count) *count = here.count;
}

}  // namespace rgm
