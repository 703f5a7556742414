// custom.cpp - differentiable operations of plug-ins, and their gradients: the plug-in's functions run outside of the
// tape, and one step stands for them on it.
#include "tensor/custom.hpp"

#include <algorithm>
#include <cstring>

#include "tensor/gradients.hpp"
#include "tensor/plugin_call.hpp"
#include "tensor/support.hpp"

namespace rgm {

// A plug-in of another version has a shorter or a longer table.
Custom::Custom(const rgm_custom_op& given, void* data) : user(data) {
  std::memcpy(&op, &given, std::min<size_t>(given.struct_size, sizeof op));
  if (!op.name) op.name = "custom";
  const std::string* const plugin = plugin_call_now.plugin;
  name = fmt::format("{}{}operation \"{}\"", plugin ? *plugin : "", plugin ? ", " : "", op.name);
}
Custom::~Custom() {
  if (op.drop) op.drop(user);
}

namespace ops {

void custom(const rgm_custom_op& given, void* user, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto call = std::make_shared<const Custom>(given, user);
  const std::string& name = call->name;
  require(call->op.forward != nullptr, "{} has no forward; its author has to correct it", name);
  std::vector<rgm_tensor*> handles, results(out.size());
  for (const Tensor& x : in) handles.push_back(x.get());
  {
    const NoGradient no_gradient;
    check_status(call->op.forward(call->user, handles.data(), results.data()));
  }
  for (size_t i = 0; i < out.size(); ++i) out[i] = Tensor::adopt(results[i]);
  for (Tensor& y : out) {
    require(bool(y), "{}: forward left an output empty; its author has to correct it", name);
    y = alias(y, y.view());  // it may be an input, which has a place on the tape already
  }
  bool needed = false;
  for (const Tensor& x : in) needed = needed || would_record({&x});
  if (!needed || !call->op.backward) return;
  std::vector<Tensor> saved(in.begin(), in.end());
  for (const Tensor& y : out) saved.push_back(alias(y, y.view()));
  record(call->op.name, gradients::custom, in, out, std::move(saved),
         {.i = {static_cast<int64_t>(in.size()), static_cast<int64_t>(out.size())}, .more = call});
}

}  // namespace ops

void gradients::custom(Backward& b) {
  const auto n_in = static_cast<size_t>(b.arguments().i[0]), n_out = static_cast<size_t>(b.arguments().i[1]);
  const auto& call = *static_cast<const Custom*>(b.arguments().more.get());
  std::vector<Tensor> dout(n_out);
  std::vector<rgm_tensor*> in, out, dout_handles, din(n_in);
  for (size_t i = 0; i < n_in; ++i) in.push_back(b.saved(i).get());
  for (size_t i = 0; i < n_out; ++i) {
    out.push_back(b.saved(n_in + i).get());
    dout[i] = b.dy(i) ? as_float(b.dy(i)) : zeros(b.saved(n_in + i).shape());
    dout_handles.push_back(dout[i].get());
  }
  call_plugin(call.name, "backward",
              [&] { return call.op.backward(call.user, in.data(), out.data(), dout_handles.data(), din.data()); });
  std::vector<Tensor> results;
  results.reserve(din.size());
  for (rgm_tensor* t : din) results.push_back(Tensor::adopt(t));
  for (size_t i = 0; i < n_in; ++i) {
    if (!b.needs(i) || !results[i]) continue;
    require(results[i].shape() == Shape(b.like(i)),
            "{}: the gradient of input {} has shape {}, expected {}; its author has to correct it", call.name, i,
            results[i].shape().text(), Shape(b.like(i)).text());
    b.add(i, std::move(results[i]));
  }
}

}  // namespace rgm
