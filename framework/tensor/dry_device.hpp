// dry_device.hpp - a device that computes nothing and hands out addresses that nobody may touch: a step that runs on it
// shows how much memory the step takes, in a moment. Not for anything that looks at results.
#pragma once
#include <memory>

#include "tensor/device.hpp"

namespace rgm {

// It offers the optional kernels that `real` offers, which must outlive it, so that what is composed there is composed
// here. Every kernel succeeds; what is downloaded is zeros.
std::shared_ptr<Device> make_dry_device(const Device& real);
bool is_dry(const Device& device);
// The most bytes that its blocks took together; where the host keeps freed ones, these count.
size_t dry_peak_bytes(const Device& dry);

}  // namespace rgm
