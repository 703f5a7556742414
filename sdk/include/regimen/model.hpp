// model.hpp - a language model, the tokens it reads, and the parameters that a plug-in keeps with it.
#pragma once
#include <array>
#include <bit>

#include "ops.hpp"

namespace regimen RGM_PRIVATE {

struct Tokens {  // a TOKENS column: ids, segments, weights (B, T), and ends (E); see rgm_column. Only ids must be there
  Tensor ids, segments, weights, ends;

  int64_t rows() const { return ids.size(0); }
  int64_t length() const { return ids.size(1); }
  int64_t examples() const { return ends.size(0); }
  // (B, T) -> (E): the sum over each example's tokens
  Tensor sum_each(const Tensor& x) const {
    return make(host->tensors->segment_sum, x.get(), segments.get(), examples());
  }
  // (E): how many tokens of each example count, at least 1, to divide its sum by
  Tensor count_each() const { return max(sum_each(weights), full({}, 1)); }
  // (E) -> (B, T): every token gets its example's value, padding gets 0
  Tensor spread(const Tensor& x) const {
    const Tensor all = concat(std::array{full({1}, 0), x}, 0);
    return reshape(gather(all, 0, reshape(segments, {-1})), {rows(), length()});
  }
};

// How a parameter starts where no saved one is found.
struct Init {
  int32_t kind;
  double a = 0, b = 0;
  Tensor value{};

  static Init fill(double value) { return {RGM_FILL, value}; }
  static Init uniform(double low, double high) { return {RGM_UNIFORM_IN, low, high}; }
  static Init normal(double deviation) { return {RGM_NORMAL_OF, 0, deviation}; }
  static Init copy(Tensor value) { return {RGM_VALUE, 0, 0, std::move(value)}; }
};

// Where a component's parameters are kept, and saved with the model. Each function makes the tensor of that name, or
// finds it; new names only in prepare, open and attach. A buffer is saved but not trained, and changed by assign.
class Scope {
 public:
  explicit Scope(rgm_scope* scope) : scope_(scope) {}
  Tensor param(const char* name, Shape shape, const Init& init) const { return file(name, shape, init, 1); }
  Tensor buffer(const char* name, Shape shape, const Init& init) const { return file(name, shape, init, 0); }

 private:
  Tensor file(const char* name, Shape shape, const Init& init, uint32_t trained) const {
    const rgm_view v = like(shape);
    const rgm_init how{sizeof(rgm_init), init.kind, trained, 0, init.a, init.b, init.value.get()};
    return make(host->models->param, scope_, name, &v, &how);
  }
  rgm_scope* scope_;
};

// Into what a Scope gave, or a view of it. Not inside loss or a hook.
inline void assign(const Tensor& buffer, const Tensor& value) {
  check(host->models->assign(buffer.get(), value.get()));
}

// Borrowed from the stage. Gradients are recorded where loss runs in training and the model, or an adapter, is trained.
class Model {
 public:
  explicit Model(rgm_model* model) : model_(model) {}
  rgm_model* get() const { return model_; }
  rgm_model_info info() const {
    rgm_model_info out{};
    out.struct_size = sizeof out;
    check(host->models->info(model_, &out));
    return out;
  }

  // The outputs that `want` names, in the order of its bits: auto [lp, h] = m.forward<RGM_LOGPROBS | RGM_HIDDEN>(t);
  // Log-probabilities and entropy are 0 for tokens of weight 0; without `tokens.weights` all tokens have them.
  template <uint32_t want>
  std::array<Tensor, std::popcount(want)> forward(const Tokens& tokens, double temperature = 1) const {
    std::array<rgm_tensor*, std::popcount(want)> raw{};
    const rgm_pass p = pass(want, tokens, temperature);
    check(host->models->forward(model_, &p, raw.data()));
    std::array<Tensor, std::popcount(want)> out;
    for (size_t i = 0; i < raw.size(); ++i) out[i] = Tensor::adopt(raw[i]);
    return out;
  }
  // (B, T) of the tokens themselves
  Tensor logprobs(const Tokens& tokens, double temperature = 1) const {
    return forward<RGM_LOGPROBS>(tokens, temperature)[0];
  }
  // (E), summed over the tokens of each example that count: of the whole answer behind a prompt
  Tensor logprob_each(const Tokens& tokens) const { return tokens.sum_each(logprobs(tokens) * tokens.weights); }
  // (B, T, C) after the last norm
  Tensor hidden(const Tokens& tokens) const { return forward<RGM_HIDDEN>(tokens)[0]; }
  // (B, T, labels) of the model's own head
  Tensor head(const Tokens& tokens) const { return forward<RGM_HEAD>(tokens)[0]; }
  // sum of -weights (B, T) * logprobs, (): cheaper than logprobs where the weights are known beforehand
  Tensor cross_entropy(const Tokens& tokens, const Tensor& weights) const {
    const rgm_pass p = pass(0, tokens, 1);
    return make(host->models->cross_entropy, model_, &p, weights.get());
  }
  // sum of weights (B, T) * divergence from the teacher, (); kind: RGM_FORWARD_KL, RGM_REVERSE_KL, RGM_JENSEN_SHANNON
  Tensor divergence(const Model& teacher, const Tokens& tokens, const Tensor& weights, int32_t kind,
                    double temperature = 1) const {
    const rgm_pass p = pass(0, tokens, temperature);
    return make(host->models->divergence, model_, teacher.model_, &p, weights.get(), kind);
  }
  // That of Jensen and Shannon with the teacher's share in the mixture, between 0 and 1: see rgm_model_api
  Tensor jensen_shannon(const Model& teacher, const Tokens& tokens, const Tensor& weights, double share,
                        double temperature = 1) const {
    const rgm_pass p = pass(0, tokens, temperature);
    return make(host->models->jensen_shannon, model_, teacher.model_, &p, weights.get(), share);
  }

  // (T, layers, 2, Hkv, D): keys and values of tokens (T) read from position 0, without adapters or a gradient
  Tensor key_values(const Tensor& tokens) const { return make(host->models->key_values, model_, tokens.get()); }

 private:
  static rgm_pass pass(uint32_t want, const Tokens& t, double temperature) {
    return {sizeof(rgm_pass), want, t.ids.get(), t.segments.get(), nullptr, temperature, t.weights.get()};
  }
  rgm_model* model_;
};

// (T) I32; the tokenizer is that of Model::info().
inline Tensor tokenize(rgm_tokenizer* tokenizer, std::string_view text) {
  return make(host->models->tokenize, tokenizer, str(text));
}

}  // namespace regimen
