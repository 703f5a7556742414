// cudnn_frontend.h - attention as cuDNN's graphs compute it, by its definition: scores, a bias on them, a causal mask
// that counts from the first key, and for the gradient the sums that the forward pass has left. What the backend asks
// of the graphs is here, and no more.
#pragma once
#include <cuda_bf16.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "emulator.hpp"

using cudnnHandle_t = cudaStream_t*;
enum cudnnStatus_t { CUDNN_STATUS_SUCCESS };

namespace cudnn_frontend {

enum class DataType_t { FLOAT, BFLOAT16 };
enum class HeurMode_t { A };
enum class AttentionImplementation_t { COMPOSITE };

enum class error_code_t { OK, GRAPH_NOT_SUPPORTED, GRAPH_EXECUTION_PLAN_CREATION_FAILED, GRAPH_EXECUTION_FAILED };

struct error_t {
  std::string message{};
  error_code_t code = error_code_t::OK;
  error_code_t get_code() const { return code; }
  bool is_good() const { return message.empty(); }
  bool is_bad() const { return !is_good(); }
  const std::string& get_message() const { return message; }
};

namespace detail {
inline cudnnStatus_t create_handle(cudnnHandle_t* out) {
  *out = new cudaStream_t();
  return CUDNN_STATUS_SUCCESS;
}
inline void destroy_handle(cudnnHandle_t handle) { delete handle; }
inline void set_stream(cudnnHandle_t handle, cudaStream_t stream) { *handle = stream; }
}  // namespace detail

namespace graph {

struct Tensor_attributes {
  int64_t uid = 0;
  std::vector<int64_t> dim{}, stride{};
  DataType_t type = DataType_t::BFLOAT16;

  Tensor_attributes& set_name(const char*) { return *this; }
  Tensor_attributes& set_uid(int64_t id) { return uid = id, *this; }
  Tensor_attributes& set_dim(std::vector<int64_t> d) { return dim = std::move(d), *this; }
  Tensor_attributes& set_stride(std::vector<int64_t> s) { return stride = std::move(s), *this; }
  Tensor_attributes& set_data_type(DataType_t t) { return type = t, *this; }
  Tensor_attributes& set_output(bool) { return *this; }
};
using Tensor = std::shared_ptr<Tensor_attributes>;

struct SDPA_attributes {
  float scale = 1;
  bool causal = false;
  Tensor bias{};
  SDPA_attributes& set_name(const char*) { return *this; }
  SDPA_attributes& set_generate_stats(bool) { return *this; }
  SDPA_attributes& set_deterministic_algorithm(bool) { return *this; }
  SDPA_attributes& set_implementation(AttentionImplementation_t) { return *this; }
  SDPA_attributes& set_attn_scale(float s) { return scale = s, *this; }
  void set_causal_mask(bool yes) { causal = yes; }
  void set_bias(Tensor b) { bias = std::move(b); }
};
using SDPA_backward_attributes = SDPA_attributes;

// (B, H, T, D) in memory
class Array {
 public:
  Array(const Tensor& tensor, const std::unordered_map<int64_t, void*>& memory)
      : tensor_(tensor), data_(tensor ? memory.at(tensor->uid) : nullptr) {}
  explicit operator bool() const { return data_; }
  int64_t size(size_t axis) const { return tensor_->dim[axis]; }
  float get(int64_t b, int64_t h, int64_t t, int64_t d) const {
    const int64_t i = at(b, h, t, d);
    return tensor_->type == DataType_t::FLOAT ? static_cast<float*>(data_)[i]
                                              : __bfloat162float(static_cast<__nv_bfloat16*>(data_)[i]);
  }
  void put(int64_t b, int64_t h, int64_t t, int64_t d, float x) const {
    const int64_t i = at(b, h, t, d);
    if (tensor_->type == DataType_t::FLOAT)
      static_cast<float*>(data_)[i] = x;
    else
      static_cast<__nv_bfloat16*>(data_)[i] = __float2bfloat16(x);
  }

 private:
  int64_t at(int64_t b, int64_t h, int64_t t, int64_t d) const {
    const auto& [sb, sh, st, sd] =
        std::array{tensor_->stride[0], tensor_->stride[1], tensor_->stride[2], tensor_->stride[3]};
    return (tensor_->dim[0] == 1 ? 0 : b * sb) + (tensor_->dim[1] == 1 ? 0 : h * sh) + t * st + d * sd;
  }
  Tensor tensor_;
  void* data_;
};

// One attention or its gradient.
struct Node {
  SDPA_attributes options;
  Tensor q, k, v, y, stats, dy, dq, dk, dv;
  bool gradient = false;

  void run(const std::unordered_map<int64_t, void*>& memory) const {
    const Array Q(q, memory), K(k, memory);
    const int64_t group = Q.size(1) / K.size(1);
    for (int64_t b = 0; b < Q.size(0); ++b)
      for (int64_t h = 0; h < Q.size(1); ++h) gradient ? backward(memory, b, h, group) : forward(memory, b, h, group);
  }

 private:
  // -infinity where the causal mask hides the key
  float score(const Array& Q, const Array& K, const Array& bias, int64_t b, int64_t h, int64_t group, int64_t i,
              int64_t j) const {
    if (options.causal && j > i) return -INFINITY;
    float dot = 0;
    for (int64_t d = 0; d < Q.size(3); ++d) dot += Q.get(b, h, i, d) * K.get(b, h / group, j, d);
    return dot * options.scale + (bias ? bias.get(b, 0, i, j) : 0);
  }
  void forward(const std::unordered_map<int64_t, void*>& memory, int64_t b, int64_t h, int64_t group) const {
    const Array Q(q, memory), K(k, memory), V(v, memory), Y(y, memory), lse(stats, memory), bias(options.bias, memory);
    std::vector<float> scores(static_cast<size_t>(K.size(2)));
    for (int64_t i = 0; i < Q.size(2); ++i) {
      float most = -INFINITY, sum = 0;
      for (int64_t j = 0; j < K.size(2); ++j) {
        const float s = score(Q, K, bias, b, h, group, i, j);
        scores[static_cast<size_t>(j)] = s;
        most = std::max(most, s);
      }
      for (float& s : scores) sum += s = std::exp(s - most);
      for (int64_t d = 0; d < V.size(3); ++d) {
        float out = 0;
        for (int64_t j = 0; j < K.size(2); ++j) out += scores[static_cast<size_t>(j)] * V.get(b, h / group, j, d);
        Y.put(b, h, i, d, out / sum);
      }
      lse.put(b, h, i, 0, most + std::log(sum));
    }
  }
  // Gradients of K and V are summed over the heads of a group: the first one begins, in float32.
  void backward(const std::unordered_map<int64_t, void*>& memory, int64_t b, int64_t h, int64_t group) const {
    if (h % group != 0) return;
    const Array Q(q, memory), K(k, memory), V(v, memory), Y(y, memory), lse(stats, memory), bias(options.bias, memory),
        dY(dy, memory), dQ(dq, memory), dK(dk, memory), dV(dv, memory);
    const int64_t Tq = Q.size(2), Tk = K.size(2), D = Q.size(3), Dv = V.size(3);
    std::vector<float> sum_k(static_cast<size_t>(Tk * D)), sum_v(static_cast<size_t>(Tk * Dv));
    for (int64_t one = h; one < h + group; ++one)
      for (int64_t i = 0; i < Tq; ++i) {
        float delta = 0;
        std::vector<float> here(static_cast<size_t>(D));
        for (int64_t d = 0; d < Dv; ++d) delta += dY.get(b, one, i, d) * Y.get(b, one, i, d);
        for (int64_t j = 0; j < Tk; ++j) {
          const float p = std::exp(score(Q, K, bias, b, one, group, i, j) - lse.get(b, one, i, 0));
          float dp = 0;
          for (int64_t d = 0; d < Dv; ++d) {
            dp += dY.get(b, one, i, d) * V.get(b, h / group, j, d);
            sum_v[static_cast<size_t>(j * Dv + d)] += p * dY.get(b, one, i, d);
          }
          const float ds = p * (dp - delta) * options.scale;
          for (int64_t d = 0; d < D; ++d) {
            here[static_cast<size_t>(d)] += ds * K.get(b, h / group, j, d);
            sum_k[static_cast<size_t>(j * D + d)] += ds * Q.get(b, one, i, d);
          }
        }
        for (int64_t d = 0; d < D; ++d) dQ.put(b, one, i, d, here[static_cast<size_t>(d)]);
      }
    for (int64_t j = 0; j < Tk; ++j) {
      for (int64_t d = 0; d < D; ++d) dK.put(b, h / group, j, d, sum_k[static_cast<size_t>(j * D + d)]);
      for (int64_t d = 0; d < Dv; ++d) dV.put(b, h / group, j, d, sum_v[static_cast<size_t>(j * Dv + d)]);
    }
  }
};

class Graph {
 public:
  Graph& set_io_data_type(DataType_t) { return *this; }
  Graph& set_intermediate_data_type(DataType_t) { return *this; }
  Graph& set_compute_data_type(DataType_t) { return *this; }
  Tensor tensor(const Tensor_attributes& t) { return std::make_shared<Tensor_attributes>(t); }

  std::array<Tensor, 2> sdpa(Tensor q, Tensor k, Tensor v, const SDPA_attributes& options) {
    node_ = {options, q, k, v, made(), made(), {}, {}, {}, {}, false};
    return {node_.y, node_.stats};
  }
  std::array<Tensor, 3> sdpa_backward(Tensor q, Tensor k, Tensor v, Tensor y, Tensor dy, Tensor stats,
                                      const SDPA_backward_attributes& options) {
    node_ = {options, q, k, v, y, stats, dy, made(), made(), made(), true};
    return {node_.dq, node_.dk, node_.dv};
  }
  // It refuses one width of heads, as cuDNN refuses what it has no engine for.
  // Every seventh is short of memory at first, as cuDNN is of the device's.
  error_t build(cudnnHandle_t, const std::vector<HeurMode_t>&) {
    static int builds = 0;
    if (node_.q->dim[3] == 16) return {"no engine for heads of 16 channels", error_code_t::GRAPH_NOT_SUPPORTED};
    if (builds++ % 7 == 3) return {"no memory", error_code_t::GRAPH_EXECUTION_PLAN_CREATION_FAILED};
    if (const char* const file = std::getenv("EMULATED_CUDNN_BUILDS")) std::ofstream(file, std::ios::app) << '.';
    return {};
  }
  // A deterministic gradient leaves its dP there, a test's value for each score if there is one.
  error_t get_workspace_size(int64_t& size) {
    const char* const given = std::getenv("EMULATED_CUDNN_BYTES_PER_SCORE");
    const int64_t each = given ? std::atoll(given) : 2;
    size = node_.gradient ? each * node_.q->dim[0] * node_.q->dim[1] * node_.q->dim[2] * node_.k->dim[2] : 0;
    workspace_ = size;
    return {};
  }
  error_t execute(cudnnHandle_t handle, const std::unordered_map<int64_t, void*>& memory, void* workspace) const {
    if (emulator::has_fallen_away()) return {"the GPU does not answer", error_code_t::GRAPH_EXECUTION_FAILED};
    if (const char* const file = std::getenv("EMULATED_CUDNN_RUNS")) std::ofstream(file, std::ios::app) << '.';
    char* const last = workspace_ > 0 ? static_cast<char*>(workspace) + workspace_ - 1 : nullptr;
    emulator::enqueue(*handle, [node = node_, memory, last] {
      if (last) *last = 1;
      node.run(memory);
    });
    return {};
  }

 private:
  static Tensor made() { return std::make_shared<Tensor_attributes>(); }
  Node node_;
  int64_t workspace_ = 0;
};

}  // namespace graph
}  // namespace cudnn_frontend
