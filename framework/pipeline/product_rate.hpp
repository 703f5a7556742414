// product_rate.hpp - how many floating-point operations a second a device does in products of a model's shapes. Only
// for estimates that people read: nothing that is computed depends on it.
#pragma once
#include <cstdint>

#include "tensor/device.hpp"

namespace rgm {

// Products of (rows, channels) by (channels, 4 channels), timed for at most 0.3 s. `device` is the current one.
double product_rate(Device& device, int64_t channels);

}  // namespace rgm
