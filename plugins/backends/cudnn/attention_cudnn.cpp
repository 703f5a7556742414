// attention_cudnn.cpp - attention by cuDNN's graphs in bfloat16: whole or causal rows, and, through a bias, segments,
// windows and prefixes. A graph is built once for a shape and its strides, and kept while it is used; what cuDNN
// refuses, or would need too much memory for, is remembered, and our own kernels serve it. A gradient goes part by part
// where its memory would be large.
#include "kernels.hpp"

#ifdef REGIMEN_CUDNN_FRONTEND
#include <algorithm>
#include <map>

#include "attention_graph.hpp"

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;  // where it finds cuDNN
}

namespace regimen::cudnn {
namespace {

constexpr size_t most_graphs = 256;  // building one takes half a second; rows of other lengths need others

struct Key {
  int64_t numbers[48];
  auto operator<=>(const Key&) const = default;  // NOLINT(modernize-use-nullptr): there is none
};

}  // namespace

class Attentions {
 public:
  ~Attentions() {
    graphs_.clear();
    if (handle_) fe::detail::destroy_handle(handle_);
  }

  // False: cuDNN has nothing for this.
  bool run(rgm_queue* q, const rgm_attention& a, bool gradient) {
    if (!open(q)) return false;
    const Key key = key_of(a, gradient);
    auto found = graphs_.find(key);
    const bool fresh = found == graphs_.end();
    if (fresh) {
      if (!q->captures) make_room(q);
      found = graphs_.emplace(key, prepared(q, a, gradient)).first;
    }
    found->second.used = ++uses_;
    if (!found->second.graph) {
      if (q->captures && fresh) graphs_.erase(found);  // nothing idle could be given back to it
      return false;
    }
    const Prepared& ready = found->second;
    if (q->captures) q->used.push_back(ready.graph);
    const bool masked = needs_mask(a);
    const Mask mask = masked ? attention_mask(q, a) : Mask{};
    float* const stats = masked && gradient ? lse_for_gradient(q, a) : static_cast<float*>(a.lse->data);
    void* const workspace = q->scratch.bytes(Scratch::kAttention, static_cast<size_t>(ready.workspace));
    for (int64_t row = 0; row < a.q->shape[0]; row += ready.rows)
      for (int64_t head = 0; head < a.k->shape[2]; head += ready.heads)
        execute(ready, memory_of(a, gradient, mask, stats, row, head), workspace);
    if (masked && !gradient) clear_unseeing(q, a, mask);
    return true;
  }

  // That our own kernels serve what cuDNN could, but for something that a user may change.
  void say_own_for_dropout() {
    if (std::exchange(said_dropout_, true)) return;
    host->log(RGM_LOG_WARNING, str("cudnn: attention with dropout runs on a kernel of our own, many times slower, and "
                                   "a step that draws random numbers is not captured; set `dropout: 0` in the stage's "
                                   "model, as in model: {from: gpt2, dropout: 0}, to get both back"));
  }
  void say_own_for_half_tile(int64_t keys) {
    if (std::exchange(said_half_tile_, true)) return;
    host->log(RGM_LOG_WARNING, str("cudnn: the gradient of attention over " + std::to_string(keys) +
                                   " keys, some of them hidden by a mask, runs on a kernel of our own, many times "
                                   "slower, as cuDNN's may be NaN where the last 64 keys fill half of a tile of 128; a "
                                   "context, or a number of virtual tokens, that is 64 more or less avoids it"));
  }

  void leave_stream() {
    if (handle_) fe::detail::set_stream(handle_, nullptr);
    stream_ = nullptr;
  }

 private:
  struct Prepared : BuiltGraph {
    uint64_t used = 0;            // when last, counted
    int64_t rows = 0, heads = 0;  // of the keys, of each part
  };
  using Memory = std::unordered_map<int64_t, void*>;

  void execute(const Prepared& ready, Memory memory, void* workspace) {
    auto status = ready.graph->execute(handle_, memory, workspace);
    if (status.is_bad()) throw Error(RGM_INTERNAL, "attention: cuDNN: " + status.get_message());
  }

  // What was not used for longest goes. The graph of captured work stays here for as long as that: the kernels may be
  // the graph's, and so it goes when nothing runs.
  void make_room(rgm_queue* q) {
    if (graphs_.size() < most_graphs) return;
    check_cuda(cudaStreamSynchronize(q->stream), "attention");
    std::erase_if(retired_, [](const auto& graph) { return graph.use_count() == 1; });
    while (graphs_.size() >= most_graphs) {
      const auto oldest = std::min_element(graphs_.begin(), graphs_.end(),
                                           [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
      if (oldest->second.graph.use_count() > 1) retired_.push_back(oldest->second.graph);
      graphs_.erase(oldest);
    }
  }

  // Where the part that begins at this row and this head of the keys lies.
  static Memory memory_of(const rgm_attention& a, bool gradient, const Mask& mask, float* stats, int64_t row,
                          int64_t head) {
    const int64_t shared = a.q->shape[2] / a.k->shape[2];
    const auto at = [row](const rgm_view* v, int64_t h) -> void* {
      return static_cast<std::byte*>(v->data) + (row * v->stride[0] + h * v->stride[2]) * 2;
    };
    const auto of_queries = [&](const rgm_view* v) { return at(v, head * shared); };
    Memory out{{kQ, of_queries(a.q)},
               {kK, at(a.k, head)},
               {kV, at(a.v, head)},
               {kY, of_queries(a.y)},
               {kStats, stats + (row * a.q->shape[2] + head * shared) * a.q->shape[1]}};
    if (gradient)
      out.insert({{kDy, of_queries(a.dy)}, {kDq, of_queries(a.dq)}, {kDk, at(a.dk, head)}, {kDv, at(a.dv, head)}});
    if (mask.bias)
      out.insert(
          {kBias, static_cast<std::byte*>(mask.bias) + (mask.batches > 1 ? row * a.q->shape[1] * mask.line * 2 : 0)});
    return out;
  }

  bool open(rgm_queue* q) {
    if (!tried_) create_handle(q);
    if (!handle_) return false;
    if (std::exchange(stream_, q->stream) != q->stream) fe::detail::set_stream(handle_, q->stream);
    return true;
  }
  void create_handle(rgm_queue* q) {
    tried_ = true;
    try {
      open_cuda_runtime();
      cudnn_frontend::cudnn_dlhandle = open_cudnn();
      const auto create = [this] { return fe::detail::create_handle(&handle_) == CUDNN_STATUS_SUCCESS; };
      if (create()) return;
      if (!q->captures) q->device->arena->trim();  // it may have been memory
      if (q->captures || !create()) throw Error(RGM_UNSUPPORTED, "it cannot be opened");
    } catch (const std::exception& e) {
      handle_ = nullptr;
      host->log(RGM_LOG_WARNING, str(std::string("cudnn: attention runs without cuDNN: ") + e.what()));
    }
  }

  static Key key_of(const rgm_attention& a, bool gradient) {
    Key key{};
    size_t at = 0;
    key.numbers[at++] = gradient;
    key.numbers[at++] = a.features;
    key.numbers[at++] = std::bit_cast<int64_t>(a.scale);
    for (int i = 0; i < 4; ++i) key.numbers[at++] = a.q->shape[i];
    key.numbers[at++] = a.k->shape[1];
    key.numbers[at++] = a.k->shape[2];
    key.numbers[at++] = a.v->shape[3];
    const auto strides = [&](const rgm_view* v) {
      for (int i = 0; i < 3; ++i) key.numbers[at++] = v->stride[i];
    };
    for (const rgm_view* v : {a.q, a.k, a.v, a.y}) strides(v);
    if (gradient)
      for (const rgm_view* v : {a.dy, a.dq, a.dk, a.dv}) strides(v);
    return key;
  }

  // Without a graph where there is none: told once, as the other shapes differ little.
  Prepared prepared(rgm_queue* q, const rgm_attention& a, bool gradient) {
    Prepared out;
    const std::string why = try_prepare(q, a, gradient, out);
    if (why.empty()) return out;
    if (!q->captures && !std::exchange(refused_, true)) {
      const rgm_view &queries = *a.q, &keys = *a.k;
      const auto text = [](const rgm_view& v) {
        return "(" + std::to_string(v.shape[0]) + ", " + std::to_string(v.shape[1]) + ", " +
               std::to_string(v.shape[2]) + ", " + std::to_string(v.shape[3]) + ")";
      };
      host->log(RGM_LOG_WARNING,
                str("cudnn: attention" + std::string(gradient ? "'s gradient" : "") + " of queries " + text(queries) +
                    " and keys " + text(keys) + " runs on a kernel of our own, many times slower; cuDNN says: " + why));
    }
    return {};
  }

  // Why there is none, or nothing. Memory is compared with the device's alone, not with what is free, so that a run has
  // the same bits whatever else lies there.
  std::string try_prepare(rgm_queue* q, const rgm_attention& a, bool gradient, Prepared& out) {
    const auto memory = static_cast<int64_t>(q->device->memory);
    const auto mebibytes = [](int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
    if (const int64_t bytes = mask_bytes(a); bytes > memory / 16) return "its mask would take " + mebibytes(bytes);
    out.rows = a.q->shape[0], out.heads = a.k->shape[2];
    std::string why = built(q, a, gradient, out);
    if (!why.empty() || !gradient || out.workspace <= memory / 16) return why;
    // Row by row, and head by head where one row is too much.
    const int64_t parts = out.workspace / (memory / 16) + 1;
    if (out.rows >= parts) {
      out.rows = divisor(out.rows, out.rows / parts);
    } else {
      out.heads = divisor(out.heads, out.heads * out.rows / parts);
      out.rows = 1;
    }
    const Part part(a, out.rows, out.heads);
    why = built(q, part.args, gradient, out);
    if (why.empty() && out.workspace > memory / 4) return "it needs " + mebibytes(out.workspace) + " beside a head";
    return why;
  }

  std::string built(rgm_queue* q, const rgm_attention& a, bool gradient, Prepared& out) {
    try {
      auto status = build_graph(handle_, q->device->deterministic, a, gradient, out);
      if (status.is_bad() && status.get_code() != fe::error_code_t::GRAPH_NOT_SUPPORTED && !q->captures) {
        q->device->arena->trim();  // it may have been memory
        status = build_graph(handle_, q->device->deterministic, a, gradient, out);
      }
      return status.is_bad() ? status.get_message() : "";
    } catch (const std::exception& e) {  // as where the installed libraries lack a function
      return e.what();
    }
  }

  cudnnHandle_t handle_ = nullptr;
  cudaStream_t stream_ = nullptr;  // that the handle has
  bool tried_ = false, refused_ = false, said_dropout_ = false, said_half_tile_ = false;
  std::map<Key, Prepared> graphs_;
  uint64_t uses_ = 0;
  std::vector<std::shared_ptr<Graph>> retired_;  // of captured work
};

void leave_stream(Attentions& attentions) { attentions.leave_stream(); }

static Attentions& attentions_of(rgm_queue* q) {
  if (!q->attentions) q->attentions = std::make_shared<Attentions>();
  return *q->attentions;
}
bool cudnn_attention(rgm_queue* q, const rgm_attention& a) {
  if (served(a)) return attentions_of(q).run(q, a, false);
  if (only_dropout(a)) attentions_of(q).say_own_for_dropout();
  return false;
}
bool cudnn_attention_grad(rgm_queue* q, const rgm_attention& a) {
  if (!gradient_served(a)) return false;
  if (!is_wrong(a)) return attentions_of(q).run(q, a, true);
  attentions_of(q).say_own_for_half_tile(a.k->shape[1]);
  return false;
}

}  // namespace regimen::cudnn

#else

namespace regimen::cudnn {
bool cudnn_attention(rgm_queue*, const rgm_attention&) { return false; }
bool cudnn_attention_grad(rgm_queue*, const rgm_attention&) { return false; }
class Attentions {};
void leave_stream(Attentions&) {}
}  // namespace regimen::cudnn

#endif
