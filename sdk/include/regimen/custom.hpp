// custom.hpp - a differentiable operation of the plug-in's own: a class that knows its value and its gradient.
//   static constexpr const char* name
//   forward(in) const -> Tensor, or std::array<Tensor, n>
//   backward(in, out, dout) const -> std::vector<Tensor>, one per input, empty where it needs no gradient
// in, out and dout are spans of Tensors; dout is zero for an output that nobody used. Both functions may be called from
// any thread. The object is moved into the tape and lives as long as the tape needs it, so it holds values, never
// references to a batch.
#pragma once
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "tensor.hpp"

namespace regimen RGM_PRIVATE {

using Tensors = std::span<const Tensor>;

template <class T>
struct CustomThunks {
  using Result = decltype(std::declval<const T&>().forward(Tensors{}));
  static constexpr bool single = std::is_same_v<Result, Tensor>;
  static constexpr size_t outputs = [] {
    if constexpr (single)
      return size_t{1};
    else
      return std::tuple_size_v<Result>;
  }();
  struct State {
    T op;
    size_t inputs;
  };

  static std::vector<Tensor> shared(rgm_tensor* const* raw, size_t n) {
    std::vector<Tensor> out;
    for (size_t i = 0; i < n; ++i) out.push_back(Tensor::share(raw[i]));
    return out;
  }

  static rgm_status forward(void* user, rgm_tensor* const* in, rgm_tensor** out) {
    return guard([&] {
      const State& state = *static_cast<const State*>(user);
      Result result = state.op.forward(shared(in, state.inputs));
      if constexpr (single)
        *out = result.release();
      else
        for (size_t i = 0; i < outputs; ++i) out[i] = result[i].release();
    });
  }
  static rgm_status backward(void* user, rgm_tensor* const* in, rgm_tensor* const* out, rgm_tensor* const* dout,
                             rgm_tensor** din) {
    return guard([&] {
      const State& state = *static_cast<const State*>(user);
      std::vector<Tensor> result =
          state.op.backward(shared(in, state.inputs), shared(out, outputs), shared(dout, outputs));
      if (result.size() != state.inputs)
        throw Error(RGM_INTERNAL, std::string(T::name) + ": backward answers " + std::to_string(result.size()) +
                                      " gradients for " + std::to_string(state.inputs) + " inputs");
      for (size_t i = 0; i < state.inputs; ++i) din[i] = result[i].release();
    });
  }
  static void drop(void* user) { delete static_cast<State*>(user); }

  static constexpr rgm_custom_op table{sizeof(rgm_custom_op), 0, T::name, forward, backward, drop};
};

// Tensor y = custom(SmoothClamp{3}, {x}); the host drops `op` when the tape is done with it, or when the call fails.
template <class T>
auto custom(T op, std::initializer_list<Tensor> in) {
  using Thunks = CustomThunks<T>;
  std::array<rgm_tensor*, Thunks::outputs> raw{};
  std::vector<rgm_tensor*> inputs;
  for (const Tensor& x : in) inputs.push_back(x.get());
  auto state = std::make_unique<typename Thunks::State>(typename Thunks::State{std::move(op), in.size()});
  check(host->tensors->custom(&Thunks::table, state.release(), inputs.data(), static_cast<uint32_t>(inputs.size()),
                              raw.data(), static_cast<uint32_t>(raw.size())));
  if constexpr (Thunks::single) {
    return Tensor::adopt(raw[0]);
  } else {
    typename Thunks::Result out;
    for (size_t i = 0; i < raw.size(); ++i) out[i] = Tensor::adopt(raw[i]);
    return out;
  }
}

}  // namespace regimen
