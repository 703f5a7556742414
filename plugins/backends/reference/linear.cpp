// linear.cpp - y (M, out) = [y +] activation(x (M, in) weight^T (out, in) + bias (out)) + residual; aux receives what
// the activation was given.
#include "functions.hpp"
#include "kernels.hpp"
#include "product.hpp"

namespace regimen::reference {

rgm_status linear(rgm_queue*, const rgm_linear* args) {
  return guard([&] {
    const rgm_linear& a = *args;
    accept_features(a.features,
                    RGM_LINEAR_BIAS | RGM_LINEAR_RESIDUAL | RGM_LINEAR_ACTIVATION | RGM_LINEAR_AUX | RGM_LINEAR_ADD,
                    "linear");
    const auto has = [&](uint32_t feature) { return (a.features & feature) != 0; };
    if (has(RGM_LINEAR_ACTIVATION)) require_unary(a.activation, "linear");
    require(a.x->rank == 2 && a.weight->rank == 2 && a.x->shape[1] == a.weight->shape[1],
            "linear: x is (M, in) and weight (out, in)");
    const int64_t M = a.x->shape[0], out = a.weight->shape[0];
    require_shape(*a.y, {M, out}, "linear: y is (M, out)");
    if (has(RGM_LINEAR_BIAS)) require_shape(*a.bias, {out}, "linear: bias is (out)");
    if (has(RGM_LINEAR_RESIDUAL)) require_shape(*a.residual, {M, out}, "linear: residual is (M, out)");
    if (has(RGM_LINEAR_AUX)) require_shape(*a.aux, {M, out}, "linear: aux is (M, out)");
    std::vector<double> bias(static_cast<size_t>(out)), more(bias);
    if (has(RGM_LINEAR_BIAS)) load(*a.bias, 0, out, a.bias->stride[0], bias.data());
    product(*a.x, matrix(transposed(*a.weight)), out, [&](int64_t i, double* row) {
      const auto add = [&](const rgm_view& v) {
        load(v, i * v.stride[0], out, v.stride[1], more.data());
        for (int64_t j = 0; j < out; ++j) row[j] += more[static_cast<size_t>(j)];
      };
      for (int64_t j = 0; j < out; ++j) row[j] += bias[static_cast<size_t>(j)];
      if (has(RGM_LINEAR_AUX)) store(*a.aux, i * a.aux->stride[0], out, a.aux->stride[1], row);
      if (has(RGM_LINEAR_ACTIVATION))
        for (int64_t j = 0; j < out; ++j) row[j] = function(a.activation, row[j]);
      if (has(RGM_LINEAR_RESIDUAL)) add(*a.residual);
      if (has(RGM_LINEAR_ADD)) add(*a.y);
      store(*a.y, i * a.y->stride[0], out, a.y->stride[1], row);
    });
  });
}

}  // namespace regimen::reference
