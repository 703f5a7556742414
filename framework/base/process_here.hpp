// process_here.hpp - which of the processes on this machine that compute together this one is: each takes its own share
// of the processors and its own device.
#pragma once
#include <cstdint>

namespace rgm {

struct ProcessHere {
  uint32_t number = 0, count = 1;  // from 0, of so many
};
ProcessHere process_here();
void set_process_here(ProcessHere here);  // before a device is opened

// As rgm_host has it.
void tell_process_here(uint32_t* number, uint32_t* count);

}  // namespace rgm
