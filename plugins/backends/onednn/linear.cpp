// linear.cpp - a linear layer: one product, then bias, activation, residual and what the gradient needs in one pass.
#include "kernels.hpp"
#include "packed.hpp"

namespace regimen::onednn {
static std::string text(const Matrix& m) {
  return '(' + std::to_string(m.rows) + ", " + std::to_string(m.columns) + ')';
}

rgm_status linear(rgm_queue* q, const rgm_linear* args) {
  return kernel(q, [&] {
    const rgm_linear& a = *args;
    constexpr uint32_t kFeatures = RGM_LINEAR_BIAS | RGM_LINEAR_RESIDUAL | RGM_LINEAR_ACTIVATION | RGM_LINEAR_AUX |
                                   RGM_LINEAR_ADD | RGM_LINEAR_PACKED | RGM_LINEAR_QUANTIZED;
    accept_features(a.features, kFeatures, "linear");
    const auto has = [&a](uint32_t feature) { return (a.features & feature) != 0; };
    const rgm_packed* const packed = has(RGM_LINEAR_PACKED) ? a.packed : nullptr;
    const bool quantized = has(RGM_LINEAR_QUANTIZED), plain_weight = !packed && !quantized;
    if (a.x->rank != 2 || (plain_weight && a.weight->rank != 2)) unsupported("onednn: linear wants matrices");
    const int32_t activation = has(RGM_LINEAR_ACTIVATION) ? a.activation : 0;
    if (activation < 0 || activation > RGM_GELU_ERF) unsupported("onednn: unknown activation");
    const Matrix y = matrix(a.y, "linear");
    if (!plain_weight && a.x->dtype != RGM_F32)
      unsupported("onednn: a packed or quantized weight stands beside float32");
    if (packed)
      require(packed->in == a.x->shape[1] && packed->out == y.columns && y.rows == a.x->shape[0],
              "linear: shapes do not fit");
    if (quantized) require_few_quantized(q, *a.x, *a.codes, *a.scales, y);
    const auto product = [&](float beta, const rgm_view& to) {
      if (quantized) return multiply_quantized(q, *a.x, *a.codes, *a.scales, data<float>(to), to.stride[0]);
      if (packed) return multiply_packed(q, *a.x, *packed, data<float>(to), to.stride[0]);
      rgm_view weight = *a.weight;  // as (in, out)
      std::swap(weight.shape[0], weight.shape[1]);
      std::swap(weight.stride[0], weight.stride[1]);
      multiply(q, 1, *a.x, weight, beta, to);
    };

    const bool add = has(RGM_LINEAR_ADD);
    EpilogueRow row{};
    row.n = y.columns;
    row.activation = activation;
    if (has(RGM_LINEAR_BIAS)) {
      if (a.bias->dtype != RGM_F32 || !is_contiguous(*a.bias)) unsupported("onednn: linear wants a bias without gaps");
      require(count(*a.bias) == y.columns, "linear: the bias has another length than y has columns");
      row.bias = data<float>(*a.bias);
    }
    Matrix residual, aux;
    const auto beside_y = [&](const rgm_view* v, const std::string& name) {
      const Matrix m = matrix(v, "linear");
      require(m.rows == y.rows && m.columns == y.columns, "linear: " + name + " is " + text(m) + ", y is " + text(y));
      return m;
    };
    if (has(RGM_LINEAR_RESIDUAL)) residual = beside_y(a.residual, "residual");
    if (has(RGM_LINEAR_AUX)) aux = beside_y(a.aux, "aux");
    const bool plain = !row.bias && !residual.data && !aux.data && !activation;
    if (plain && (plain_weight || !add)) return product(add ? 1 : 0, *a.y);

    // The product goes where nothing is needed any more: aux, or y unless it is an input as well.
    rgm_view sum = aux.data ? *a.aux : *a.y;
    if (!aux.data && (add || residual.data == y.data)) {
      sum.data = q->scratch.floats(Scratch::kRows, y.rows * y.columns);
      sum.stride[0] = y.columns, sum.stride[1] = 1;
    }
    product(0, sum);
    const Matrix s = matrix(&sum, "linear");
    parallel(threads(q), y.rows, std::max<int64_t>(1, kGrain / 2 / std::max<int64_t>(y.columns, 1)),
             [&](int64_t begin, int64_t end, int) {
               EpilogueRow r = row;
               r.add = add;
               for (int64_t i = begin; i < end; ++i) {
                 r.sum = s.row(i), r.y = y.row(i);
                 r.aux = aux.data ? aux.row(i) : nullptr;
                 r.residual = residual.data ? residual.row(i) : nullptr;
                 vector(q).epilogue(r);
               }
             });
  });
}

}  // namespace regimen::onednn
