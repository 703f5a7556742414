// experts.cpp - a mixture of experts in place of an mlp (Shazeer et al. 2017, arXiv 1701.06538): a router chooses the k
// likeliest experts of each token. The host reads its choice, so that each expert works on its tokens at once.
#include <algorithm>

#include "model/reader.hpp"
#include "model/routing.hpp"
#include "tensor/dry_device.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {

constexpr uint32_t last_axis_of_two = 2;

// A device that only counts chooses nobody: there the load is even, as training makes it. What is chosen among
// probabilities that are no numbers may be no expert; the answers are no numbers either way.
std::vector<int32_t> read_choice(const Tensor& index, int64_t experts) {
  std::vector<int32_t> out = to_host<int32_t>(index);
  const bool dry = is_dry(current_device());
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = dry ? static_cast<int32_t>(i % static_cast<size_t>(experts))
                 : std::clamp(out[i], 0, static_cast<int32_t>(experts) - 1);
  return out;
}

// At least n rows, and at most a sixteenth more: what backends prepare, and memory, is for one size, and so there are
// few of them.
int64_t rounded_rows(int64_t n) {
  int64_t step = 1;
  while (n > 32 * step) step *= 2;
  return (n + step - 1) / step * step;
}

// The choices (token, one of its k), those of each expert together, in the order of the tokens. Rows behind them, up to
// the sizes, are of token 0, and nobody reads their answers.
struct Groups {
  std::vector<int64_t> sizes;    // by expert
  std::vector<int32_t> tokens;   // of each row
  std::vector<int32_t> inverse;  // of choice i = token k + slot: its row
};

Groups grouped(std::span<const int32_t> chosen, int64_t experts, int64_t k) {
  Groups out;
  out.sizes.resize(static_cast<size_t>(experts));
  for (const int32_t e : chosen) ++out.sizes[static_cast<size_t>(e)];
  std::vector<int64_t> next;
  int64_t rows = 0;
  for (int64_t& size : out.sizes) {
    next.push_back(rows);
    rows += size = rounded_rows(size);
  }
  out.tokens.resize(static_cast<size_t>(rows));
  out.inverse.resize(chosen.size());
  for (size_t i = 0; i < chosen.size(); ++i) {
    const auto at = next[static_cast<size_t>(chosen[i])]++;
    out.tokens[static_cast<size_t>(at)] = static_cast<int32_t>(static_cast<int64_t>(i) / k);
    out.inverse[i] = static_cast<int32_t>(at);
  }
  return out;
}

Tensor on_device(std::span<const int32_t> values) { return from_host(values, {std::ssize(values)}); }

// down(activation(gate x) * up x), float32
Tensor answer(const ExpertPart& part, const Tensor& x, int32_t activation, rgm_dtype dtype) {
  const auto product = [&](const LinearPart& linear, int32_t act) {
    return ops::linear(x, linear.weight->for_products(), {}, act, {}, dtype);
  };
  return ops::linear(ops::multiply(product(part.gate, activation), product(part.up, 0)),
                     part.down.weight->for_products());
}

}  // namespace

// The share of the tokens that each expert has, padding left out.
std::vector<float> PassReader::expert_shares(std::span<const int32_t> chosen) const {
  std::vector<float> out(static_cast<size_t>(config_.experts));
  const auto k = static_cast<size_t>(config_.experts_per_token);
  for (size_t i = 0; i < chosen.size(); ++i)
    if (counted_.empty() || counted_[i / k] != 0) ++out[static_cast<size_t>(chosen[i])];
  for (float& share : out) share /= static_cast<float>(std::max(tokens_, 1.0));
  routing_->busiest += static_cast<double>(*std::ranges::max_element(out));
  routing_->layers += 1;
  return out;
}

// Who counts in an even load: not the tokens of texts that are written. Once a pass, as it waits.
void PassReader::count_tokens() {
  routing_ = config_.experts > 0 && !cache_ ? model_.routing() : nullptr;
  if (!routing_) return;
  if (segments_) counted_ = to_host<int32_t>(segments_);
  tokens_ = static_cast<double>(counted_.empty() ? B_ * T_ : std::ssize(counted_) - std::ranges::count(counted_, 0));
  if (recording()) routing_->tokens += tokens_;
}

// p (B T, E) itself: backward() adds the gradient of balance x share of this pass x E x sum of f P / layers. Both f and
// how many tokens the other passes of its micro-batch have are known by then.
Tensor PassReader::balanced(const LayerPart& layer, const Tensor& p,
                            const std::shared_ptr<const std::vector<float>>& shares) const {
  if (!routing_ || config_.balance == 0 || !layer.router.weight->trained) return p;
  const double of_layer = config_.balance * routing_->share * static_cast<double>(config_.experts) /
                          static_cast<double>(config_.sparse_layers());
  const Tensor counts =
      segments_ ? ops::cast(ops::binary(RGM_LESS, ops::full({}, 0, RGM_I32), ops::reshape(segments_, {-1, 1})), RGM_F32)
                : Tensor();
  return ops::with_gradient(p, [shares, of_layer, counts, routing = routing_] {
    const Tensor f = from_host(std::span<const float>(*shares), {1, std::ssize(*shares)});
    const Tensor each = (of_layer / std::max(routing->tokens, 1.0)) * f;
    return counts ? each * counts : each;
  });
}

// (B, T, C), float32: sum over a token's experts of weight x expert(x)
Tensor PassReader::experts(const LayerPart& layer, const Tensor& given) const {
  const int64_t C = config_.channels, k = config_.experts_per_token, M = B_ * T_;
  const int32_t activation = config_.activation_kind();
  const Tensor x = ops::reshape(given, {M, C});
  // In float32 whatever the pass is in, so that near choices are the same.
  const Tensor p = ops::softmax(ops::linear(ops::cast(x, RGM_F32), layer.router.weight->value), -1);
  const auto shares = std::make_shared<std::vector<float>>();
  auto [weights, index] = ops::top_k(balanced(layer, p, shares), k);
  const std::vector<int32_t> chosen = read_choice(index, config_.experts);
  if (routing_) *shares = expert_shares(chosen);
  if (config_.normalised_experts) weights = weights / ops::reduce(RGM_SUM, last_axis_of_two, weights, true);

  const Groups groups = grouped(chosen, config_.experts, k);
  const std::vector<Tensor> inputs = ops::split(ops::gather(x, 0, on_device(groups.tokens)), 0, groups.sizes);
  std::vector<Tensor> answers;
  for (size_t e = 0; e < inputs.size(); ++e)
    if (groups.sizes[e] > 0) answers.push_back(answer(layer.experts[e], inputs[e], activation, model_.dtype()));
  Tensor y = ops::gather(ops::concat(answers, 0), 0, on_device(groups.inverse));
  y = ops::reduce(RGM_SUM, last_axis_of_two, ops::reshape(y, {M, k, C}) * ops::reshape(weights, {M, k, 1}));
  if (layer.shared_gate) {
    const Tensor open = ops::unary(RGM_SIGMOID, ops::linear(x, layer.shared_gate.weight->for_products()));
    y = y + open * answer(layer.shared, x, activation, model_.dtype());
  }
  return ops::reshape(y, {B_, T_, C});
}

}  // namespace rgm
