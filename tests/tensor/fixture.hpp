// fixture.hpp - the reference backend as the current device: with all of its kernels, or with fewer.
#pragma once
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regimen/abi.h>

#include <cmath>
#include <string>
#include <vector>

#include "tensor/ops.hpp"

namespace rgm::test {

// The backend of a plug-in's file, which stays loaded.
inline const rgm_backend& backend_of(const std::string& file) {
  static const rgm_host host = [] {
    rgm_host h{};
    h.struct_size = sizeof h;
    h.version = "test";
    h.fail = [](rgm_status code, rgm_str text) { return keep_failure(code, {text.data, text.size}); };
    h.last_error = [] { return rgm_str{last_failure().data(), last_failure().size()}; };
    h.log = [](int32_t, rgm_str) {};
    return h;
  }();
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  const auto* plugin = static_cast<const rgm_plugin*>(dlsym(library, "regimen_plugin_v1"));
  check_status(plugin->init(&host));
  return *static_cast<const rgm_backend*>(plugin->components[0]->table);
}
inline const rgm_backend& reference() {
  static const rgm_backend& table = backend_of(REGIMEN_PLUGIN_DIRECTORY "/reference.so");
  return table;
}

// What the backend offers beside the ten required kernels.
enum class Offer {
  everything,
  nothing,   // NULL
  refusals,  // kernels that answer RGM_UNSUPPORTED
  forward    // no gradients: those answer RGM_UNSUPPORTED, after the fused forward pass
};
inline const char* name_of(Offer offer) {
  constexpr const char* names[] = {"Everything", "Nothing", "Refusals", "Forward"};
  return names[static_cast<int>(offer)];
}

inline void PrintTo(Offer offer, std::ostream* out) { *out << name_of(offer); }

template <class... A>
rgm_status refuse(A...) {
  return RGM_UNSUPPORTED;
}
template <class... A>
void make_refuse(rgm_status (*&kernel)(A...)) {
  kernel = refuse<A...>;
}

// Sums and maxima alone, as must be.
inline rgm_status required_reduce(rgm_queue* q, int32_t op, uint32_t axes, const rgm_view* x, const rgm_view* y) {
  if (op != RGM_SUM && op != RGM_MAXIMUM) return RGM_UNSUPPORTED;
  return reference().kernels(nullptr)->reduce(q, op, axes, x, y);
}

inline rgm_kernels with_offer(Offer offer) {
  rgm_kernels k = *reference().kernels(nullptr);
  if (offer == Offer::nothing || offer == Offer::refusals) k.reduce = required_reduce;
  const auto each = [](auto&& f, auto&... kernels) { (f(kernels), ...); };
  const auto refusing = [](auto& kernel) { make_refuse(kernel); };
  if (offer == Offer::nothing)
    each([](auto& kernel) { kernel = nullptr; }, k.unary_grad, k.softmax, k.softmax_grad, k.cumsum, k.top_k, k.norm,
         k.norm_grad, k.rope, k.attention, k.attention_grad, k.linear, k.head_loss, k.adamw, k.sum_of_squares,
         k.linear_grad, k.pack, k.unpack, k.sample, k.dequantize);
  if (offer == Offer::refusals)
    each(refusing, k.pack, k.softmax, k.cumsum, k.top_k, k.norm, k.rope, k.attention, k.linear, k.head_loss, k.adamw,
         k.sum_of_squares, k.sample, k.dequantize);
  if (offer == Offer::refusals || offer == Offer::forward)
    each(refusing, k.unary_grad, k.softmax_grad, k.norm_grad, k.attention_grad, k.linear_grad);
  return k;
}

template <Offer offer>
const rgm_backend& backend_with() {
  static const rgm_kernels kernels = with_offer(offer);
  static const rgm_backend backend = [] {
    rgm_backend b = reference();
    b.kernels = [](rgm_device*) -> const rgm_kernels* { return &kernels; };
    return b;
  }();
  return backend;
}

// A device while this object lives.
class OnDevice {
 public:
  explicit OnDevice(const rgm_backend& backend)
      : device_(std::make_shared<Device>(backend, 0, nullptr, "reference")), before_(set_current_device(device_)) {}
  explicit OnDevice(Offer offer = Offer::everything)
      : OnDevice(offer == Offer::nothing    ? backend_with<Offer::nothing>()
                 : offer == Offer::refusals ? backend_with<Offer::refusals>()
                 : offer == Offer::forward  ? backend_with<Offer::forward>()
                                            : reference()) {}
  ~OnDevice() { set_current_device(before_); }
  Device* operator->() const { return device_.get(); }

 private:
  std::shared_ptr<Device> device_, before_;
};

class TensorTest : public testing::Test {
 protected:
  OnDevice device;
};

// Numbers that look random in [low, high), the same in every run.
inline std::vector<float> numbers(int64_t n, uint32_t seed, double low = -1, double high = 1) {
  std::vector<float> out(static_cast<size_t>(n));
  uint64_t state = seed * 0x9E3779B97F4A7C15ull + 1;
  for (float& x : out) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    x = static_cast<float>(low + (high - low) * static_cast<double>(state >> 40) * 0x1p-24);
  }
  return out;
}
inline Tensor values(std::initializer_list<float> list, Shape shape = {}) {
  if (shape.rank() == 0) shape = {static_cast<int64_t>(list.size())};
  return from_host(std::span(list.begin(), list.size()), shape);
}
inline Tensor indices(std::initializer_list<int32_t> list, Shape shape = {}) {
  if (shape.rank() == 0) shape = {static_cast<int64_t>(list.size())};
  return from_host(std::span(list.begin(), list.size()), shape);
}
inline Tensor trained(Tensor x) {
  x.set_trained(true);
  return x;
}
inline Tensor sample(const Shape& shape, uint32_t seed, double low = -1, double high = 1) {
  return from_host(std::span<const float>(numbers(shape.count(), seed, low, high)), shape);
}

}  // namespace rgm::test
