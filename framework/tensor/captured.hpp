// captured.hpp - a sequence of kernels that is enqueued again and again as one piece of work: what the host says
// between two kernels is said once. For steps whose shapes repeat and whose inputs are written into the same tensors.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "tensor/tensor.hpp"

namespace rgm {

inline bool knows_capture(const rgm_backend& b) {
  return RGM_HAS(&b, capture_begin) && RGM_HAS(&b, capture_end) && RGM_HAS(&b, replay) && RGM_HAS(&b, captured_free);
}
inline bool can_capture(const Device& device) { return device.may_capture() && knows_capture(device.backend()); }

class Captured {
 public:
  // What `work` enqueues, not run yet. Nothing where the backend cannot, memory does not suffice, or `work` uploads or
  // waits: the log says why, and what the host did in `work` has to be done again. Memory that it frees stays this
  // object's; tensors that it leaves, and those that it reads, have to live as long.
  static std::optional<Captured> of(const std::function<void()>& work);
  Captured(Captured&& other) noexcept;
  ~Captured();
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  Captured& operator=(Captured&&) = delete;

  void replay() const;  // on the device that it was captured on

 private:
  explicit Captured(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  std::shared_ptr<Device> device_;
  rgm_captured* work_ = nullptr;
  std::vector<Device::Block> memory_;
};

// Writes the host's values into x, which is dense and of their type.
void refill(const Tensor& x, std::span<const int32_t> values);
void refill(const Tensor& x, std::span<const float> values);

}  // namespace rgm
