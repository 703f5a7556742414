// tensor.cpp - storage, new tensors, and the way from and to host memory.
#include "tensor/tensor.hpp"

#include "tensor/kernel.hpp"
#include "tensor/support.hpp"

rgm_tensor::~rgm_tensor() {
  rgm::Tensor::drop(gradient);
  rgm::Tensor::drop(master);
}

namespace rgm {

Storage::Storage(std::shared_ptr<Device> on, size_t size)
    : device(std::move(on)), block(device->allocate(size)), data(block.data), bytes(size) {}
Storage::Storage(std::shared_ptr<Device> on, void* where, size_t size, std::shared_ptr<void> kept)
    : device(std::move(on)), data(where), bytes(size), owner(std::move(kept)) {}
Storage::~Storage() {
  if (block.data) device->release(block);
}

Tensor with_storage(rgm_view v, std::shared_ptr<Storage> storage) {
  v.data = storage->data;
  auto* t = new rgm_tensor;
  t->view = v;
  t->storage = std::move(storage);
  return Tensor::adopt(t);
}

namespace {

Tensor with_new_storage(const rgm_view& v, size_t bytes) {
  return with_storage(v, std::make_shared<Storage>(share_current_device(), bytes));
}

template <class T>
constexpr rgm_dtype dtype_for = std::is_same_v<T, float> ? RGM_F32 : RGM_I32;

}  // namespace

Tensor empty(const Shape& shape, rgm_dtype dtype) {
  const size_t bytes = static_cast<size_t>(shape.count()) * bytes_of(dtype);
  return with_new_storage(dense_view(shape, dtype), bytes);
}

Tensor empty_like(const rgm_view& v, rgm_dtype dtype) {
  return with_new_storage(views::layout_like(v, dtype), static_cast<size_t>(count_of(v)) * bytes_of(dtype));
}

Tensor alias(const Tensor& x, const rgm_view& v) {
  auto* t = new rgm_tensor;
  t->view = v;
  t->storage = x.get()->storage;
  return Tensor::adopt(t);
}

Tensor from_host(const void* data, const Shape& shape, rgm_dtype dtype) {
  Tensor out = empty(shape, dtype);
  current_device().upload(out.view().data, data, static_cast<size_t>(shape.count()) * bytes_of(dtype));
  return out;
}

template <class T>
std::vector<T> to_host(const Tensor& x) {
  Tensor plain = x;
  if (x.dtype() != dtype_for<T> || !is_contiguous(x.view())) {
    plain = empty(x.shape(), dtype_for<T>);
    kernel::copy(x.view(), plain.view());
  }
  std::vector<T> out(static_cast<size_t>(x.count()));
  current_device().download(out.data(), plain.view().data, out.size() * sizeof(T));
  return out;
}
template std::vector<float> to_host<float>(const Tensor&);
template std::vector<int32_t> to_host<int32_t>(const Tensor&);

float item(const Tensor& x) {
  require(x.count() == 1, "item: {} has {} elements, expected one", x.shape().text(), x.count());
  return to_host<float>(x)[0];
}

void assign(const Tensor& x, const Tensor& y) {
  require(x.shape() == y.shape(), "assign: {} does not fit into {}", y.shape().text(), x.shape().text());
  // A kernel's output overlaps no input, but may be one.
  const bool is_one = x.view().data == y.view().data && views::same_layout(x.view(), y.view());
  if (is_one || x.get()->storage != y.get()->storage) return kernel::copy(y.view(), x.view());
  const Tensor apart = empty(y.shape(), y.dtype());
  kernel::copy(y.view(), apart.view());
  kernel::copy(apart.view(), x.view());
}

}  // namespace rgm
