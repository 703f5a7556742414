// linear.cpp - y (M, out) = [y +] activation(x (M, in) weight^T (out, in) + bias (out)) + residual; aux receives what
// the activation was given. And the gradient.
#include <memory>

#include "functions.hpp"
#include "kernels.hpp"
#include "product.hpp"

// The same numbers without gaps.
struct rgm_packed {
  rgm_view view{};
  std::vector<std::byte> bytes;
};

namespace regimen::reference {

rgm_status pack(rgm_queue* q, const rgm_view* weight, const rgm_view* scales, int32_t transposed, rgm_packed** out) {
  return guard([&] {
    require(weight->rank == 2, "pack: a weight is a matrix (out, in)");
    if (scales || transposed) unsupported("reference: only plain weights are packed, for a forward pass");
    auto packed = std::make_unique<rgm_packed>();
    packed->bytes.resize(static_cast<size_t>(count(*weight)) * size_of(weight->dtype));
    packed->view = *weight;
    packed->view.data = packed->bytes.data();
    packed->view.stride[0] = weight->shape[1], packed->view.stride[1] = 1;
    if (copy(q, weight, &packed->view) != RGM_OK) throw Error(RGM_INTERNAL, "pack: the weight could not be copied");
    *out = packed.release();
  });
}
void unpack(rgm_packed* packed) { delete packed; }

// Of a quantized weight, in the dtype of x.
static rgm_packed values_of(const rgm_linear& a) {
  require(a.codes->rank == 2, "linear: codes are (out, in / 2)");
  rgm_packed out;
  out.view.dtype = a.x->dtype, out.view.rank = 2;
  out.view.shape[0] = a.codes->shape[0], out.view.shape[1] = 2 * a.codes->shape[1];
  out.view.stride[0] = out.view.shape[1], out.view.stride[1] = 1;
  out.bytes.resize(static_cast<size_t>(count(out.view)) * size_of(out.view.dtype));
  out.view.data = out.bytes.data();
  make_values({sizeof(rgm_dequantize), 0, a.codes, a.scales, &out.view});
  return out;
}

rgm_status linear(rgm_queue*, const rgm_linear* args) {
  return guard([&] {
    const rgm_linear& a = *args;
    accept_features(a.features,
                    RGM_LINEAR_BIAS | RGM_LINEAR_RESIDUAL | RGM_LINEAR_ACTIVATION | RGM_LINEAR_AUX | RGM_LINEAR_ADD |
                        RGM_LINEAR_PACKED | RGM_LINEAR_QUANTIZED,
                    "linear");
    const auto has = [&](uint32_t feature) { return (a.features & feature) != 0; };
    rgm_packed values;
    if (has(RGM_LINEAR_QUANTIZED)) values = values_of(a);
    const rgm_view& weight = has(RGM_LINEAR_QUANTIZED) ? values.view
                             : has(RGM_LINEAR_PACKED)  ? a.packed->view
                                                       : *a.weight;
    if (has(RGM_LINEAR_ACTIVATION)) require_unary(a.activation, "linear");
    require(a.x->rank == 2 && weight.rank == 2 && a.x->shape[1] == weight.shape[1],
            "linear: x is (M, in) and weight (out, in)");
    const int64_t M = a.x->shape[0], out = weight.shape[0];
    require_shape(*a.y, {M, out}, "linear: y is (M, out)");
    if (has(RGM_LINEAR_BIAS)) require_shape(*a.bias, {out}, "linear: bias is (out)");
    if (has(RGM_LINEAR_RESIDUAL)) require_shape(*a.residual, {M, out}, "linear: residual is (M, out)");
    if (has(RGM_LINEAR_AUX)) require_shape(*a.aux, {M, out}, "linear: aux is (M, out)");
    std::vector<double> bias(static_cast<size_t>(out)), more(bias);
    if (has(RGM_LINEAR_BIAS)) load(*a.bias, 0, out, a.bias->stride[0], bias.data());
    product(*a.x, matrix(transposed(weight)), out, [&](int64_t i, double* row) {
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

rgm_status linear_grad(rgm_queue*, const rgm_linear_grad* args) {
  return guard([&] {
    const rgm_linear_grad& a = *args;
    accept_features(
        a.features,
        RGM_LINEAR_GRAD_ADD_DX | RGM_LINEAR_GRAD_ADD_DW | RGM_LINEAR_GRAD_ADD_DB | RGM_LINEAR_GRAD_ACTIVATION,
        "linear_grad");
    const auto has = [&](uint32_t feature) { return (a.features & feature) != 0; };
    require(a.dy->rank == 2 && (!a.dw || a.x) && (!a.dx || a.weight),
            "linear_grad: dy is (M, out); dw needs x, dx weight");
    const int64_t M = a.dy->shape[0], out = a.dy->shape[1];
    std::vector<double> more;
    // row i of `to`, which is added to if it `adds`
    const auto leave = [&](const rgm_view& to, bool adds, int64_t i, double* row) {
      const int64_t n = to.shape[1];
      more.resize(static_cast<size_t>(n));
      if (adds) load(to, i * to.stride[0], n, to.stride[1], more.data());
      for (int64_t j = 0; j < n && adds; ++j) row[j] += more[static_cast<size_t>(j)];
      store(to, i * to.stride[0], n, to.stride[1], row);
    };
    if (a.db) {
      require_shape(*a.db, {out}, "linear_grad: db is (out)");
      std::vector<double> sum(static_cast<size_t>(out)), row(sum);
      for (int64_t i = 0; i < M; ++i) {
        load(*a.dy, i * a.dy->stride[0], out, a.dy->stride[1], row.data());
        for (size_t j = 0; j < sum.size(); ++j) sum[j] += row[j];
      }
      for (int64_t j = 0; j < out; ++j) {
        const int64_t at = j * a.db->stride[0];
        put(*a.db, at, sum[static_cast<size_t>(j)] + (has(RGM_LINEAR_GRAD_ADD_DB) ? get(*a.db, at) : 0));
      }
    }
    if (a.dw) {
      const int64_t in = a.x->shape[1];
      require_shape(*a.x, {M, in}, "linear_grad: x is (M, in)");
      require_shape(*a.dw, {out, in}, "linear_grad: dw is (out, in)");
      product(transposed(*a.dy), matrix(*a.x), in,
              [&](int64_t i, double* row) { leave(*a.dw, has(RGM_LINEAR_GRAD_ADD_DW), i, row); });
    }
    if (!a.dx) return;
    const int64_t in = a.weight->shape[1];
    require_shape(*a.weight, {out, in}, "linear_grad: weight is (out, in)");
    require_shape(*a.dx, {M, in}, "linear_grad: dx is (M, in)");
    const bool activated = has(RGM_LINEAR_GRAD_ACTIVATION);
    if (activated) {
      require_unary(a.activation, "linear_grad");
      require_shape(*a.aux, {M, in}, "linear_grad: aux is (M, in)");
      require(!has(RGM_LINEAR_GRAD_ADD_DX), "linear_grad: ACTIVATION and ADD_DX do not go together");
    }
    std::vector<double> before(static_cast<size_t>(in));
    product(*a.dy, matrix(*a.weight), in, [&](int64_t i, double* row) {
      if (activated) load(*a.aux, i * a.aux->stride[0], in, a.aux->stride[1], before.data());
      for (int64_t j = 0; j < in && activated; ++j) row[j] *= derivative(a.activation, before[static_cast<size_t>(j)]);
      leave(*a.dx, has(RGM_LINEAR_GRAD_ADD_DX), i, row);
    });
  });
}

}  // namespace regimen::reference
