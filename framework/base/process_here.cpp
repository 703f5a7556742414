// process_here.cpp - set once as a run begins, read by whoever opens a device.
#include "base/process_here.hpp"

#include <algorithm>
#include <atomic>

namespace rgm {
namespace {
std::atomic<ProcessHere> place_of_this{ProcessHere{}};
}

ProcessHere process_here() { return place_of_this; }
void set_process_here(ProcessHere here) { place_of_this = {here.number, std::max(here.count, uint32_t{1})}; }

void tell_process_here(uint32_t* number, uint32_t* count) {
  const ProcessHere here = process_here();
  if (number) *number = here.number;
  if (count) *count = here.count;
}

}  // namespace rgm
