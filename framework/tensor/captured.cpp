// captured.cpp - capturing on the backend's queue, with memory that nobody else gets.
#include "tensor/captured.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "tensor/plugin_call.hpp"
#include "tensor/views.hpp"

namespace rgm {

namespace {

class SetAside {  // while this lives
 public:
  SetAside(Device& device, std::vector<Device::Block>& memory) : device_(device) { device_.set_aside(&memory); }
  ~SetAside() { device_.set_aside(nullptr); }
  SetAside(const SetAside&) = delete;
  SetAside& operator=(const SetAside&) = delete;

 private:
  Device& device_;
};

std::nullopt_t not_captured(std::string_view why) {
  log::debug("a step could not be captured: {}", why);
  return std::nullopt;
}

}  // namespace

std::optional<Captured> Captured::of(const std::function<void()>& work) {
  if (!can_capture(current_device())) return {};
  Captured captured(share_current_device());
  Device& device = *captured.device_;
  const rgm_backend& backend = device.backend();
  const auto end = [&](rgm_captured** out) {
    return answer_of_plugin(device.name(), "capture_end", [&] { return backend.capture_end(device.queue(), out); });
  };
  const rgm_status begun =
      answer_of_plugin(device.name(), "capture_begin", [&] { return backend.capture_begin(device.queue()); });
  if (begun == RGM_UNSUPPORTED) device.set_may_capture(false);
  if (begun == RGM_DEVICE_ERROR) device.check(begun);
  if (begun != RGM_OK) return not_captured(last_failure());
  try {
    const SetAside aside(device, captured.memory_);
    work();
  } catch (const Error& e) {
    device.check(end(nullptr));
    if (e.status() == RGM_DEVICE_ERROR) throw;
    return not_captured(e.what());
  } catch (...) {
    end(nullptr);
    throw;
  }
  const rgm_status ended = end(&captured.work_);
  if (ended == RGM_DEVICE_ERROR) device.check(ended);
  if (ended != RGM_OK) return not_captured(last_failure());
  return captured;
}

Captured::Captured(Captured&& other) noexcept
    : device_(std::move(other.device_)),
      work_(std::exchange(other.work_, nullptr)),
      memory_(std::move(other.memory_)) {}

Captured::~Captured() {
  if (!device_) return;
  const auto forget = [&] { device_->backend().captured_free(device_->handle(), work_); };
  if (work_) call_quietly(device_->name(), "captured_free", forget);
  for (const Device::Block& block : memory_) device_->release(block);
}

void Captured::replay() const {
  const auto call = [&] { return device_->backend().replay(device_->queue(), work_); };
  device_->check(answer_of_plugin(device_->name(), "replay", call));
}

namespace {
template <class T>
void refill_with(const Tensor& x, std::span<const T> values, rgm_dtype dtype) {
  require(x.dtype() == dtype && is_contiguous(x.view()) && x.count() == std::ssize(values),
          "refill: {} values for a tensor of {}", values.size(), x.shape().text());
  current_device().upload(x.view().data, values.data(), values.size_bytes());
}
}  // namespace

void refill(const Tensor& x, std::span<const int32_t> values) { refill_with(x, values, RGM_I32); }
void refill(const Tensor& x, std::span<const float> values) { refill_with(x, values, RGM_F32); }

}  // namespace rgm
