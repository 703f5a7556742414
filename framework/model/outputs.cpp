// outputs.cpp - what a pass is asked for: log-probabilities, entropy, hidden states, logits, and the fused losses.
// Token t is predicted from the hidden state of t - 1, if that is in its segment; the first one of a segment from the
// last vector of the prompt, if there is one (as PEFT counts it), and else not at all.
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
          .adapters = pass.adapters,
          .lacks_last = true,
          .whole_segments = pass.segments};
}

// Whether token t + 1 goes on with the segment of t, (B, T - 1) BOOL; empty where all do.
Tensor goes_on(const Pass& pass) {
  if (!pass.segments) return {};
  const int64_t T = pass.segments.size(1);
  const Tensor before = part(pass.segments, 0, T - 1), here = part(pass.segments, 1, T);
  return ops::binary(RGM_MIN, ops::cast(ops::binary(RGM_EQUAL, before, here), RGM_I32),
                     ops::cast(ops::binary(RGM_LESS, ops::full({}, 0, RGM_I32), here), RGM_I32));
}

Tensor rows(const Tensor& x) { return ops::reshape(x, {-1, x.size(-1)}); }

// (B P) -> (B, T), nothing in front where the first token is not predicted
Tensor by_token(const Tensor& x, const Pass& pass, double nothing = 0) {
  const int64_t B = pass.tokens.size(0), T = pass.tokens.size(1);
  if (x.count() == B * T) return ops::reshape(x, {B, T});
  return ops::concat(std::array{ops::full({B, 1}, nothing, x.dtype()), ops::reshape(x, {B, T - 1})}, 1);
}

void require_tokens(const Pass& pass) {
  require(pass.tokens && pass.tokens.rank() == 2, "a pass needs tokens (B, T)");
  require(pass.temperature > 0, "a temperature of {}, more than 0 expected", pass.temperature);
  require(!pass.segments || pass.segments.shape() == pass.tokens.shape(),
          "a pass with tokens {} and segments {}, one shape expected", pass.tokens.shape().text(),
          pass.segments ? pass.segments.shape().text() : "");
}

ops::HeadOptions head_options(const Model& model, const Pass& pass) {
  return {.scale = 1 / (pass.temperature * model.config().logits_divisor), .softcap = model.config().logits_softcap};
}

Tensor flat(const Tensor& x) { return ops::reshape(ops::contiguous(x), {-1}); }

// P tokens of each row that are predicted, the last ones: T behind a prompt, or T - 1; their states (B P, C), and
// themselves (B P), -1 where there is nothing to predict.
struct Predicted {
  Tensor states, targets;
  int64_t per_row = 0;
  // (B, T) -> (B P)
  Tensor own(const Tensor& x) const { return flat(part(x, x.size(1) - per_row, x.size(1))); }
};

// Behind a prompt: the state before each token, which is the prompt's at the first one of every segment.
Tensor before_each(const Tensor& states, const Tensor& on) {
  const int64_t B = states.size(0), T = states.size(1);
  const NoGradient no_gradient;
  const Tensor goes_on = ops::concat(std::array{ops::full({B, 1}, 0, on.dtype()), on}, 1);
  const Tensor at = ops::select(goes_on, ops::broadcast(ops::iota(T), {B, T}), ops::full({}, 0, RGM_I32));
  const Tensor row = ops::affine(ops::reshape(ops::iota(B), {B, 1}), static_cast<double>(T), 0);
  return flat(at + row);
}

// `states` (B, P, C) stand before the last P tokens of each row.
Predicted predicted(const Tensor& states, const Pass& pass) {
  const int64_t T = pass.tokens.size(1);
  Predicted out{.states = rows(states), .targets = {}, .per_row = states.size(1)};
  Tensor is_one = T > 1 ? goes_on(pass) : Tensor();
  if (out.per_row == T && pass.segments) {  // behind a prompt
    if (is_one) out.states = ops::gather(out.states, 0, before_each(states, is_one));
    is_one = ops::binary(RGM_LESS, ops::full({}, 0, RGM_I32), pass.segments);
  }
  const Tensor targets = part(pass.tokens, T - out.per_row, T);
  out.targets = flat(is_one ? ops::select(is_one, targets, ops::full({}, -1, RGM_I32)) : targets);
  return out;
}

// Without the logits of each row's last token. No states where nothing is predicted.
Predicted predicted(const Model& model, const Pass& pass) {
  if (pass.tokens.size(1) > 1) return predicted(model.hidden_with_front(all_but_last(pass)), pass);
  if (!model.hooks()) return {};
  const Tensor states = model.hidden_with_front(pass);
  return states.size(1) == 2 ? predicted(part(states, 0, 1), pass) : Predicted();
}

// Without the targets that count for nothing: their rows are left out of the head's products.
Tensor that_count(const Tensor& targets, const Tensor& weights) {
  const NoGradient no_gradient;
  const Tensor nothing = ops::binary(RGM_EQUAL, weights, ops::full({}, 0, weights.dtype()));
  return ops::select(nothing, ops::full({}, -1, RGM_I32), targets);
}

const Tensor& checked(const Pass& pass, const Tensor& weights) {
  require(weights && weights.shape() == pass.tokens.shape(), "weights of shape {} for tokens of shape {}",
          weights ? weights.shape().text() : "()", pass.tokens.shape().text());
  return weights;
}

}  // namespace

std::vector<Tensor> Model::forward(const Pass& pass, uint32_t want) const {
  constexpr uint32_t known = RGM_LOGPROBS | RGM_ENTROPY | RGM_HIDDEN | RGM_LOGITS | RGM_HEAD,
                     distribution = RGM_LOGPROBS | RGM_ENTROPY;
  require_tokens(pass);
  if ((want & RGM_HEAD) && config_.outputs == 0) throw Error(RGM_UNSUPPORTED, "this model has no head of its own");
  require((want & ~known) == 0 && want != 0, "a pass cannot compute {:#x}", want);
  const int64_t B = pass.tokens.size(0), T = pass.tokens.size(1);
  Tensor states, logprobs, entropy;
  Predicted p;
  if (want & ~distribution) {
    states = hidden_with_front(pass);
    const int64_t front = states.size(1) - T;
    if ((want & distribution) && T + front > 1) p = predicted(part(states, 0, T - 1 + front), pass);
    states = part(states, front, T + front);
  } else {
    p = predicted(*this, pass);
  }
  if ((want & distribution) && p.states) {
    if (pass.weights) p.targets = that_count(p.targets, p.own(checked(pass, pass.weights)));
    std::tie(logprobs, entropy) =
        ops::head_logprobs(p.states, head_weight(), p.targets, want & RGM_ENTROPY, head_options(*this, pass));
    logprobs = by_token(logprobs, pass);
    if (entropy) entropy = by_token(entropy, pass);
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
  const Predicted p = predicted(*this, pass);
  const Shape shape = pass.tokens.shape();
  if (!p.states) return {ops::full(shape, 0), ops::full(shape, -1, RGM_I32)};
  const int64_t n = p.states.size(0), step = std::max<int64_t>(1, most_logits / config_.vocabulary);
  std::vector<Tensor> logprobs, likeliest;
  for (int64_t i = 0; i < n; i += step) {
    const int64_t end = std::min(n, i + step);
    const Tensor all = ops::log_softmax(logits(ops::slice(p.states, 0, i, end), pass.temperature), 1);
    const Tensor target = ops::slice(p.targets, 0, i, end), zero = ops::full({}, 0, RGM_I32);
    const Tensor is_one = ops::binary(RGM_LESS, ops::full({}, -1, RGM_I32), target);
    logprobs.push_back(ops::select(is_one, ops::pick(all, ops::binary(RGM_MAX, target, zero)), ops::full({}, 0)));
    const Tensor best = ops::reshape(ops::top_k(all, 1).second, {-1});
    likeliest.push_back(ops::select(is_one, best, ops::full({}, -1, RGM_I32)));
  }
  return {by_token(ops::concat(logprobs, 0), pass), by_token(ops::concat(likeliest, 0), pass, -1)};
}

Tensor Model::cross_entropy(const Pass& pass, const Tensor& weights) const {
  require_tokens(pass);
  checked(pass, weights);
  const Predicted p = predicted(*this, pass);
  if (!p.states) return ops::full({}, 0);
  const Tensor own = p.own(weights);
  // A gradient for the weights is the log-probabilities, all of them.
  const Tensor targets = weights.needs_gradient() ? p.targets : that_count(p.targets, own);
  return ops::head_cross_entropy(p.states, head_weight(), targets, own, head_options(*this, pass));
}

Tensor Model::divergence(const Model& teacher, const Pass& pass, const Tensor& weights, int32_t kind,
                         double share) const {
  require_tokens(pass);
  Tensor w = part(checked(pass, weights), 1, pass.tokens.size(1));
  if (pass.tokens.size(1) == 1) return ops::full({}, 0);
  if (const Tensor on = goes_on(pass)) w = ops::select(on, w, ops::full({}, 0));
  const Pass shorter = all_but_last(pass);
  Tensor theirs;
  {
    const NoGradient no_gradient;
    theirs = rows(teacher.hidden(shorter));
  }
  // Models of one tokenizer may have more rows than it has tokens, and not equally many: those of both are compared.
  const int64_t both = std::min(head_weight().size(0), teacher.head_weight().size(0));
  const auto head = [both](const Model& model) { return ops::slice(model.head_weight(), 0, 0, both); };
  return ops::head_divergence(rows(hidden(shorter)), head(*this), theirs, ops::detach(head(teacher)), flat(w), kind,
                              head_options(*this, pass), head_options(teacher, pass), share);
}

Tensor Model::scores(const Tensor& hidden) const {
  return ops::linear(hidden, parameters_.find("score.weight")->for_products());
}

Tensor Model::logits(const Tensor& hidden, double temperature) const {
  require(temperature > 0, "a temperature of {}, more than 0 expected", temperature);
  const double cap = config_.logits_softcap;
  Tensor out = ops::linear(hidden, packed_head_ ? packed_head_ : head_weight());
  if (cap > 0) out = cap * ops::unary(RGM_TANH, ops::affine(out, 1 / cap, 0));
  const double divisor = temperature * config_.logits_divisor;
  return divisor == 1 ? out : ops::affine(out, 1 / divisor, 0);
}

}  // namespace rgm
