// outputs.cpp - what a pass is asked for: log-probabilities, entropy, hidden states, logits, and the fused losses.
// Token t is predicted from the hidden state of t - 1, if that is in its segment.
#include "model/model.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {

Tensor part(const Tensor& x, int64_t begin, int64_t end) { return x ? ops::slice(x, 1, begin, end) : x; }

// The pass without each row's last token, from which nothing is predicted.
Pass all_but_last(const Pass& pass) {
  const int64_t T = pass.tokens.size(1) - 1;
  return {.tokens = part(pass.tokens, 0, T),
          .segments = part(pass.segments, 0, T),
          .positions = part(pass.positions, 0, T),
          .temperature = pass.temperature,
          .adapters = pass.adapters};
}

// Whether token t + 1 goes on with the segment of t, (B, T - 1) BOOL; empty where all do.
Tensor goes_on(const Pass& pass) {
  if (!pass.segments) return {};
  const int64_t T = pass.segments.size(1);
  const Tensor before = part(pass.segments, 0, T - 1), here = part(pass.segments, 1, T);
  return ops::binary(RGM_MIN, ops::cast(ops::binary(RGM_EQUAL, before, here), RGM_I32),
                     ops::cast(ops::binary(RGM_LESS, ops::full({}, 0, RGM_I32), here), RGM_I32));
}

// The tokens to predict, (B (T - 1)); -1 where there is nothing.
Tensor targets_of(const Pass& pass) {
  Tensor targets = part(pass.tokens, 1, pass.tokens.size(1));
  if (const Tensor on = goes_on(pass)) targets = ops::select(on, targets, ops::full({}, -1, RGM_I32));
  return ops::reshape(ops::contiguous(targets), {-1});
}

Tensor rows(const Tensor& x) { return ops::reshape(x, {-1, x.size(-1)}); }

// (B (T - 1)) -> (B, T), nothing in front
Tensor behind_nothing(const Tensor& x, int64_t B) {
  return ops::concat(std::array{ops::full({B, 1}, 0), ops::reshape(x, {B, -1})}, 1);
}

void require_tokens(const Pass& pass) {
  require(pass.tokens && pass.tokens.rank() == 2, "a pass needs tokens (B, T)");
  require(pass.temperature > 0, "a temperature of {}, more than 0 expected", pass.temperature);
  require(!pass.segments || pass.segments.shape() == pass.tokens.shape(),
          "a pass with tokens {} and segments {}, one shape expected", pass.tokens.shape().text(),
          pass.segments ? pass.segments.shape().text() : "");
}

ops::HeadOptions head_options(const Model& model, const Pass& pass) {
  return {.scale = 1 / pass.temperature, .softcap = model.config().logits_softcap};
}

Tensor shifted_weights(const Pass& pass, const Tensor& weights) {
  require(weights && weights.shape() == pass.tokens.shape(), "weights of shape {} for tokens of shape {}",
          weights ? weights.shape().text() : "()", pass.tokens.shape().text());
  return part(weights, 1, weights.size(1));
}

Tensor flat(const Tensor& x) { return ops::reshape(ops::contiguous(x), {-1}); }

}  // namespace

std::vector<Tensor> Model::forward(const Pass& pass, uint32_t want) const {
  constexpr uint32_t known = RGM_LOGPROBS | RGM_ENTROPY | RGM_HIDDEN | RGM_LOGITS | RGM_HEAD,
                     distribution = RGM_LOGPROBS | RGM_ENTROPY;
  require_tokens(pass);
  if ((want & RGM_HEAD) && config_.outputs == 0) throw Error(RGM_UNSUPPORTED, "this model has no head of its own");
  require((want & ~known) == 0 && want != 0, "a pass cannot compute {:#x}", want);
  const int64_t B = pass.tokens.size(0), T = pass.tokens.size(1);
  const bool whole = want & ~distribution;
  Tensor states, logprobs, entropy;
  if (whole || T > 1) states = hidden(whole ? pass : all_but_last(pass));
  if ((want & distribution) && T > 1) {
    const Tensor predicting = whole ? part(states, 0, T - 1) : states;
    std::tie(logprobs, entropy) = ops::head_logprobs(rows(predicting), head_weight(), targets_of(pass),
                                                     want & RGM_ENTROPY, head_options(*this, pass));
    logprobs = behind_nothing(logprobs, B);
    if (entropy) entropy = behind_nothing(entropy, B);
  } else if (want & distribution) {
    logprobs = ops::full({B, T}, 0), entropy = ops::full({B, T}, 0);
  }
  std::vector<Tensor> out;
  if (want & RGM_LOGPROBS) out.push_back(logprobs);
  if (want & RGM_ENTROPY) out.push_back(entropy);
  if (want & RGM_HIDDEN) out.push_back(ops::cast(states, RGM_F32));
  if (want & RGM_LOGITS) out.push_back(logits(states, pass.temperature));
  if (want & RGM_HEAD) out.push_back(scores(states));
  return out;
}

std::pair<Tensor, Tensor> Model::predictions(const Pass& pass) const {
  constexpr int64_t most_logits = int64_t{1} << 23;  // at once
  require_tokens(pass);
  const int64_t B = pass.tokens.size(0), T = pass.tokens.size(1);
  const auto nothing = [&](int64_t columns, double value, rgm_dtype dtype) {
    return ops::full({B, columns}, value, dtype);
  };
  if (T == 1) return {nothing(1, 0, RGM_F32), nothing(1, -1, RGM_I32)};
  const Tensor states = rows(hidden(all_but_last(pass))), targets = targets_of(pass);
  const int64_t n = states.size(0), step = std::max<int64_t>(1, most_logits / config_.vocabulary);
  std::vector<Tensor> logprobs, likeliest;
  for (int64_t i = 0; i < n; i += step) {
    const int64_t end = std::min(n, i + step);
    const Tensor all = ops::log_softmax(logits(ops::slice(states, 0, i, end), pass.temperature), 1);
    const Tensor target = ops::slice(targets, 0, i, end), zero = ops::full({}, 0, RGM_I32);
    const Tensor is_one = ops::binary(RGM_LESS, ops::full({}, -1, RGM_I32), target);
    logprobs.push_back(ops::select(is_one, ops::pick(all, ops::binary(RGM_MAX, target, zero)), ops::full({}, 0)));
    const Tensor best = ops::reshape(ops::top_k(all, 1).second, {-1});
    likeliest.push_back(ops::select(is_one, best, ops::full({}, -1, RGM_I32)));
  }
  const auto whole = [&](const std::vector<Tensor>& parts, double first, rgm_dtype dtype) {
    return ops::concat(std::array{nothing(1, first, dtype), ops::reshape(ops::concat(parts, 0), {B, T - 1})}, 1);
  };
  return {whole(logprobs, 0, RGM_F32), whole(likeliest, -1, RGM_I32)};
}

Tensor Model::cross_entropy(const Pass& pass, const Tensor& weights) const {
  require_tokens(pass);
  const Tensor w = shifted_weights(pass, weights);
  if (pass.tokens.size(1) == 1) return ops::full({}, 0);
  return ops::head_cross_entropy(rows(hidden(all_but_last(pass))), head_weight(), targets_of(pass), flat(w),
                                 head_options(*this, pass));
}

Tensor Model::divergence(const Model& teacher, const Pass& pass, const Tensor& weights, int32_t kind) const {
  require_tokens(pass);
  Tensor w = shifted_weights(pass, weights);
  if (pass.tokens.size(1) == 1) return ops::full({}, 0);
  if (const Tensor on = goes_on(pass)) w = ops::select(on, w, ops::full({}, 0));
  const Pass shorter = all_but_last(pass);
  Tensor theirs;
  {
    const NoGradient no_gradient;
    theirs = rows(teacher.hidden(shorter));
  }
  return ops::head_divergence(rows(hidden(shorter)), head_weight(), theirs, ops::detach(teacher.head_weight()), flat(w),
                              kind, head_options(*this, pass));
}

Tensor Model::scores(const Tensor& hidden) const {
  return ops::linear(hidden, parameters_.find("score.weight")->for_products());
}

Tensor Model::logits(const Tensor& hidden, double temperature) const {
  require(temperature > 0, "a temperature of {}, more than 0 expected", temperature);
  const double cap = config_.logits_softcap;
  Tensor out = ops::linear(hidden, head_weight());
  if (cap > 0) out = cap * ops::unary(RGM_TANH, ops::affine(out, 1 / cap, 0));
  return temperature == 1 ? out : ops::affine(out, 1 / temperature, 0);
}

}  // namespace rgm
