// attention_graph.hpp - attention, or its gradient, as a graph of cuDNN's.
#pragma once
#include <cudnn_frontend.h>

#include <algorithm>
#include <memory>

#include "attention_served.hpp"

namespace regimen::cudnn {

namespace fe = cudnn_frontend;
using Graph = fe::graph::Graph;
using Attributes = std::shared_ptr<fe::graph::Tensor_attributes>;
enum Uid : int64_t { kQ = 1, kK, kV, kY, kStats, kDy, kDq, kDk, kDv, kBias };

// Our (B, T, H, D) as cuDNN's (B, H, T, D).
inline fe::graph::Tensor_attributes described(const char* name, const rgm_view* v, Uid uid) {
  return fe::graph::Tensor_attributes()
      .set_name(name)
      .set_uid(uid)
      .set_dim({v->shape[0], v->shape[2], v->shape[1], v->shape[3]})
      .set_stride({v->stride[0], v->stride[2], v->stride[1], v->stride[3]});
}
inline fe::graph::Tensor_attributes stats_of(const rgm_attention& a) {
  const int64_t B = a.q->shape[0], H = a.q->shape[2], T = a.q->shape[1];
  return fe::graph::Tensor_attributes()
      .set_name("lse")
      .set_uid(kStats)
      .set_data_type(fe::DataType_t::FLOAT)
      .set_dim({B, H, T, 1})
      .set_stride({H * T, T, 1, 1});
}
inline fe::graph::Tensor_attributes bias_of(const rgm_attention& a) {
  const int64_t B = a.features & RGM_ATTENTION_SEGMENTS ? a.q->shape[0] : 1, Tq = a.q->shape[1], Tk = a.k->shape[1],
                line = (Tk + 7) / 8 * 8;
  return fe::graph::Tensor_attributes()
      .set_name("bias")
      .set_uid(kBias)
      .set_data_type(fe::DataType_t::BFLOAT16)
      .set_dim({B, 1, Tq, Tk})
      .set_stride({Tq * line, Tq * line, line, 1});
}
inline void becomes(const Attributes& out, const char* name, const rgm_view* v, Uid uid) {
  *out = described(name, v, uid).set_output(true).set_data_type(fe::DataType_t::BFLOAT16);
}

struct BuiltGraph {
  std::shared_ptr<Graph> graph;
  int64_t workspace = 0;  // bytes
};
// Takes half a second. Without a graph where the status is bad.
inline fe::error_t build_graph(cudnnHandle_t handle, bool deterministic, const rgm_attention& a, bool gradient,
                               BuiltGraph& out) {
  auto graph = std::make_shared<Graph>();
  graph->set_io_data_type(fe::DataType_t::BFLOAT16)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  const Attributes Q = graph->tensor(described("q", a.q, kQ)), K = graph->tensor(described("k", a.k, kK)),
                   V = graph->tensor(described("v", a.v, kV));
  const Attributes bias = needs_mask(a) ? graph->tensor(bias_of(a)) : nullptr;
  const auto with_mask = [&](auto& options) {
    if (causal_by_itself(a)) options.set_causal_mask(true);
    if (bias) options.set_bias(bias);
  };
  const auto scale = static_cast<float>(a.scale);
  if (!gradient) {
    auto options = fe::graph::SDPA_attributes()
                       .set_name("attention")
                       .set_generate_stats(true)
                       .set_attn_scale(scale)
                       .set_implementation(fe::AttentionImplementation_t::COMPOSITE);  // whose sums the gradient reads
    with_mask(options);
    const auto [y, stats] = graph->sdpa(Q, K, V, options);
    becomes(y, "y", a.y, kY);
    *stats = stats_of(a).set_output(true);
  } else {
    const Attributes y = graph->tensor(described("y", a.y, kY)), dy = graph->tensor(described("dy", a.dy, kDy)),
                     stats = graph->tensor(stats_of(a));
    auto options = fe::graph::SDPA_backward_attributes()
                       .set_name("attention_grad")
                       .set_attn_scale(scale)
                       .set_deterministic_algorithm(deterministic);
    with_mask(options);
    const auto [dq, dk, dv] = graph->sdpa_backward(Q, K, V, y, dy, stats, options);
    becomes(dq, "dq", a.dq, kDq);
    becomes(dk, "dk", a.dk, kDk);
    becomes(dv, "dv", a.dv, kDv);
  }
  auto status = graph->build(handle, {fe::HeurMode_t::A});
  if (status.is_good()) status = graph->get_workspace_size(out.workspace);
  out.workspace = std::max<int64_t>(out.workspace, 16);
  if (status.is_good()) out.graph = std::move(graph);
  return status;
}

}  // namespace regimen::cudnn
