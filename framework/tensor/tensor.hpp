// tensor.hpp - Tensor, a counted handle to values on a device and, where something is trained, to the step of the tape
// that made them. Copying a handle is cheap; the values are never copied behind your back.
#pragma once
#include <regimen/abi/tensor.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "tensor/device.hpp"
#include "tensor/shape.hpp"

namespace rgm {

struct Step;  // tape.hpp

// Memory that tensors share; goes back to the arena with its last tensor. `owner` instead, for memory that lies
// elsewhere, such as a mapped file.
struct Storage {
  std::shared_ptr<Device> device;
  Device::Block block;  // none where another owns the memory
  void* data = nullptr;
  size_t bytes = 0;
  std::shared_ptr<void> owner;
  std::shared_ptr<const struct PackedWeight> packed;        // of a weight that linear alone reads: see packed.hpp
  std::shared_ptr<const struct QuantizedWeight> quantized;  // of a weight in four bits an element: see quantized.hpp
  bool filed = false;  // a parameter or buffer of a plug-in's own, which it may assign to
  Storage(std::shared_ptr<Device> on, size_t size);
  Storage(std::shared_ptr<Device> on, void* where, size_t size, std::shared_ptr<void> kept);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
};

}  // namespace rgm

// The ABI's opaque tensor.
struct rgm_tensor {
  std::atomic<uint32_t> references{1};
  bool trained = false;      // a leaf that collects a gradient
  bool one_segment = false;  // segments of which each row has one from end to end: they part nothing
  uint32_t output = 0;       // which of the step's outputs this is
  rgm_view view{};
  std::shared_ptr<rgm::Storage> storage;
  std::shared_ptr<rgm::Step> step;  // that made it; NULL for leaves and for what needs no gradient
  rgm_tensor* gradient = nullptr;   // of a leaf, owned
  rgm_tensor* master = nullptr;     // owned: the float32 values that this is the bfloat16 copy of
  ~rgm_tensor();
};

namespace rgm {

class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor& o) : t_(o.t_) {
    if (t_) t_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Tensor(Tensor&& o) noexcept : t_(std::exchange(o.t_, nullptr)) {}
  Tensor& operator=(Tensor o) noexcept {
    std::swap(t_, o.t_);
    return *this;
  }
  ~Tensor() { drop(t_); }

  static Tensor adopt(rgm_tensor* t) {
    Tensor out;
    out.t_ = t;
    return out;
  }
  static Tensor share(rgm_tensor* t) {
    if (t) t->references.fetch_add(1, std::memory_order_relaxed);
    return adopt(t);
  }
  rgm_tensor* get() const { return t_; }
  rgm_tensor* release() { return std::exchange(t_, nullptr); }
  explicit operator bool() const { return t_ != nullptr; }

  const rgm_view& view() const { return t_->view; }
  Shape shape() const { return Shape(t_->view); }
  int32_t rank() const { return t_->view.rank; }
  int64_t size(int32_t axis) const { return t_->view.shape[axis < 0 ? axis + t_->view.rank : axis]; }
  int64_t count() const { return count_of(t_->view); }
  rgm_dtype dtype() const { return t_->view.dtype; }
  // Does a gradient flow to or through this tensor?
  bool needs_gradient() const { return t_->trained || t_->step || (t_->master && share(t_->master).needs_gradient()); }
  // Uses of this tensor, which has the values of `x` in bfloat16, give their gradients to x, in float32.
  void set_master(Tensor x) const { adopt(std::exchange(t_->master, x.release())); }
  // Nobody else holds these values, so an operation may write its result over them.
  bool sole() const {
    return t_->references == 1 && t_->storage.use_count() == 1 && !t_->trained && !t_->storage->owner;
  }
  std::shared_ptr<Device> device() const { return t_->storage->device; }

  // Of a trained leaf: the gradient that backward() added up, or an empty handle.
  Tensor gradient() const { return share(t_->gradient); }
  Tensor take_gradient() const { return adopt(std::exchange(t_->gradient, nullptr)); }
  void set_gradient(Tensor g) const { adopt(std::exchange(t_->gradient, g.release())); }
  // Makes a leaf trained or frozen.
  void set_trained(bool trained) const { t_->trained = trained; }

  static void drop(rgm_tensor* t) {
    if (t && t->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete t;
  }

 private:
  rgm_tensor* t_ = nullptr;
};

// Uninitialised memory on the current device.
Tensor empty(const Shape& shape, rgm_dtype dtype = RGM_F32);
// Uninitialised, with the order of axes in memory that `v` has (a transposed weight's gradient is transposed too).
Tensor empty_like(const rgm_view& v, rgm_dtype dtype);
// From the beginning of `storage`, as `v` has it.
Tensor with_storage(rgm_view v, std::shared_ptr<Storage> storage);
// The same memory, seen otherwise; no gradient flows through.
Tensor alias(const Tensor& x, const rgm_view& v);

// From host memory, row-major.
Tensor from_host(const void* data, const Shape& shape, rgm_dtype dtype);
inline Tensor from_host(std::span<const float> data, const Shape& shape) {
  require(static_cast<int64_t>(data.size()) == shape.count(), "{} values do not fill {}", data.size(), shape.text());
  return from_host(data.data(), shape, RGM_F32);
}
inline Tensor from_host(std::span<const int32_t> data, const Shape& shape) {
  require(static_cast<int64_t>(data.size()) == shape.count(), "{} values do not fill {}", data.size(), shape.text());
  return from_host(data.data(), shape, RGM_I32);
}
// To host memory, row-major; waits. T is float or int32_t; other types on the device are converted.
template <class T = float>
std::vector<T> to_host(const Tensor& x);
float item(const Tensor& x);  // of a tensor with one element; waits
// Overwrites the values of x with those of y (same shape; they may overlap), without a trace on the tape.
void assign(const Tensor& x, const Tensor& y);

}  // namespace rgm
