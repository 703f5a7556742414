// device.hpp - the device that a run computes on: the backend that the pipeline names, or the best that works here.
#pragma once
#include <memory>
#include <optional>

#include "pipeline/pipeline.hpp"
#include "tensor/device.hpp"

namespace rgm {

// Opens it and makes it the current device. RGM_INVALID with each backend's reason when none can be used. The choice is
// the pipeline's or the command line's; without one, the usable backend with the highest score, which is logged.
std::shared_ptr<Device> open_device(const std::optional<Choice>& choice, Registry& registry);

// "onednn on CPU, 2 threads": what open_device opens in this process. Opens nothing.
std::string device_here(const std::optional<Choice>& choice, Registry& registry);

// A backend by its id, with the defaults of its options.
Choice choose_backend(const std::string& id, Registry& registry);

// RGM_INVALID where the current device does not compute in bfloat16, which `what` asks for; `otherwise` is what to do.
void require_bfloat16(const std::string& what, const std::string& otherwise);

// Forgets the current device when it goes out of scope, so that it is closed before its plug-in is shut down.
struct DeviceScope {
  ~DeviceScope() { set_current_device(nullptr); }
};

}  // namespace rgm
