// attention.cpp - attention and its gradient: views become strides, and the work is handed out by (batch, head):
// forward also by tile of queries; backward a head of k and v at a time, so that their gradients have one writer.
#include <limits>

#include "kernels.hpp"

namespace regimen::onednn {
namespace {
constexpr uint32_t kFeatures = RGM_ATTENTION_CAUSAL | RGM_ATTENTION_SOFTCAP | RGM_ATTENTION_DROPOUT |
                               RGM_ATTENTION_WINDOW | RGM_ATTENTION_PREFIX | RGM_ATTENTION_SEGMENTS |
                               RGM_ATTENTION_LENGTHS;

Heads heads(const rgm_view* v, const char* what) {
  require(v && v->rank == 4, std::string("attention: ") + what + " must be (B, T, H, D)");
  if (v->dtype != RGM_F32 || (v->stride[3] != 1 && v->shape[3] != 1))
    unsupported(std::string("onednn: attention wants float32 heads without gaps: ") + what);
  return {data<float>(*v), v->stride[0], v->stride[1], v->stride[2]};
}

Attention describe(const rgm_attention& a) {
  accept_features(a.features, kFeatures, "attention");
  const auto has = [&a](uint32_t feature) { return (a.features & feature) != 0; };
  Attention job{};
  job.q = heads(a.q, "q"), job.k = heads(a.k, "k"), job.v = heads(a.v, "v"), job.y = heads(a.y, "y");
  job.B = a.q->shape[0], job.Tq = a.q->shape[1], job.H = a.q->shape[2], job.D = a.q->shape[3];
  job.Tk = a.k->shape[1], job.Hkv = a.k->shape[2], job.Dv = a.v->shape[3];
  require(job.Hkv > 0 && job.H % job.Hkv == 0, "attention: heads of q are no multiple of the heads of k");
  require(a.k->shape[0] == job.B && a.v->shape[0] == job.B && a.v->shape[1] == job.Tk && a.v->shape[2] == job.Hkv &&
              a.k->shape[3] == job.D && a.y->shape[3] == job.Dv,
          "attention: shapes of q, k, v and y do not fit");
  job.scale = static_cast<float>(a.scale);
  job.softcap = has(RGM_ATTENTION_SOFTCAP) ? static_cast<float>(a.softcap) : 0;
  job.causal = has(RGM_ATTENTION_CAUSAL);
  job.window = has(RGM_ATTENTION_WINDOW) ? a.window : std::numeric_limits<int64_t>::max();
  job.prefix = has(RGM_ATTENTION_PREFIX) ? a.prefix : 0;
  if (a.lse && a.lse->data) {
    if (a.lse->dtype != RGM_F32 || a.lse->rank != 3) unsupported("onednn: attention wants lse (B, H, Tq) in float32");
    job.lse = data<float>(*a.lse);
    job.lse_b = a.lse->stride[0], job.lse_h = a.lse->stride[1], job.lse_t = a.lse->stride[2];
  }
  if (has(RGM_ATTENTION_SEGMENTS)) {
    const rgm_view &qs = *a.q_segments, &ks = *a.k_segments;
    require(qs.dtype == RGM_I32 && ks.dtype == RGM_I32 && qs.rank == 2 && ks.rank == 2,
            "attention: segments are (B, T) I32");
    job.q_segments = data<int32_t>(qs), job.q_segments_b = qs.stride[0], job.q_segments_t = qs.stride[1];
    job.k_segments = data<int32_t>(ks), job.k_segments_b = ks.stride[0], job.k_segments_t = ks.stride[1];
  }
  if (has(RGM_ATTENTION_DROPOUT)) {
    if (a.key->dtype != RGM_I32 || !is_contiguous(*a.key)) unsupported("onednn: attention wants a key without gaps");
    require(count(*a.key) == 6 && a.dropout >= 0 && a.dropout < 1, "attention: dropout is in [0, 1), its key six I32");
    job.key = data<int32_t>(*a.key);
    job.dropout = static_cast<float>(a.dropout);
  }
  if (has(RGM_ATTENTION_LENGTHS)) {
    require(a.k_lengths->dtype == RGM_I32 && a.k_lengths->rank == 1, "attention: lengths are (B) I32");
    job.lengths = data<int32_t>(*a.k_lengths), job.lengths_b = a.k_lengths->stride[0];
    for (int64_t b = 0; b < job.B; ++b)
      require(job.lengths[b * job.lengths_b] >= 0 && job.lengths[b * job.lengths_b] <= job.Tk,
              "attention: a length outside of the keys");
  }
  return job;
}

// body(item, scratch of the thread)
template <class F>
void share_out(rgm_queue* q, const Attention& job, bool grad, int64_t items, int64_t work, F&& body) {
  const int64_t need = (vector(q).attention_scratch(job, grad) + 63) / 64 * 64;
  float* scratch = q->scratch.floats(Scratch::kThreads, need * threads(q));
  const int team = items * work < kGrain / 4 ? 1 : threads(q);
  parallel_items(team, items, [&](int64_t item, int thread) { body(item, scratch + thread * need); });
}
}  // namespace

rgm_status attention(rgm_queue* q, const rgm_attention* args) {
  return kernel(q, [&] {
    const Attention job = describe(*args);
    const int64_t tiles = (job.Tq + kTile - 1) / kTile, rows = std::min(job.Tq, kTile);
    // The last tiles see the most keys and go first, so that no thread is left with one at the end.
    share_out(q, job, false, job.B * job.H * tiles, rows * job.Tk * job.D / 4, [&](int64_t item, float* scratch) {
      const int64_t tile = tiles - 1 - item / (job.B * job.H), rest = item % (job.B * job.H);
      vector(q).attention(job, rest / job.H, rest % job.H, tile, scratch);
    });
  });
}

rgm_status attention_grad(rgm_queue* q, const rgm_attention* args) {
  return kernel(q, [&] {
    Attention job = describe(*args);
    job.dy = heads(args->dy, "dy"), job.dq = heads(args->dq, "dq");
    job.dk = heads(args->dk, "dk"), job.dv = heads(args->dv, "dv");
    require(job.lse != nullptr, "attention_grad: lse is needed");
    share_out(q, job, true, job.B * job.Hkv, job.Tq * job.Tk * job.D, [&](int64_t item, float* scratch) {
      vector(q).attention_grad(job, item / job.Hkv, item % job.Hkv, scratch);
    });
  });
}

}  // namespace regimen::onednn
