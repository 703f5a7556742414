// model.cpp - a model as a whole: the angles of its positions, its passes, and what they cost.
#include "model/model.hpp"

#include <algorithm>
#include <cmath>

#include "model/hooked.hpp"
#include "model/transformer.hpp"
#include "tensor/quantized.hpp"

namespace rgm {

namespace {

RopeTables rope_tables(const ModelConfig& config, const Rope& rope) {
  const double amplitude = rope_amplitude(config, rope);
  const int64_t pairs = config.rotary() / 2, most = config.most_of_short(rope), positions = most + config.context;
  std::vector<float> cosines, sines;
  cosines.reserve(static_cast<size_t>(positions * pairs));
  sines.reserve(cosines.capacity());
  const auto add = [&](int64_t count, const std::vector<double>& frequencies) {
    for (int64_t t = 0; t < count; ++t)
      for (const double frequency : frequencies) {
        const double angle = static_cast<double>(t) * frequency;
        cosines.push_back(static_cast<float>(amplitude * std::cos(angle)));
        sines.push_back(static_cast<float>(amplitude * std::sin(angle)));
      }
  };
  if (most > 0) add(most, rope_frequencies(config, rope));
  add(config.context, rope_frequencies(config, rope, most > 0));
  const Shape shape{positions, pairs};
  return {from_host(std::span<const float>(cosines), shape), from_host(std::span<const float>(sines), shape), most};
}

}  // namespace

Model::Model(ModelConfig config, TokenizerPtr tokenizer)
    : config_(std::move(config)), tokenizer_(std::move(tokenizer)) {
  check(config_);
  if (config_.family->positions != Positions::rotary) return;
  rope_ = rope_tables(config_, config_.rope);
  if (config_.window_rope) window_rope_ = rope_tables(config_, *config_.window_rope);
}

const RopeTables* Model::rope_of(size_t layer) const {
  const Rope* rope = config_.rope_of(layer);
  return !rope ? nullptr : rope == &config_.rope ? &rope_ : &window_rope_;
}

const Tensor& Model::head_weight() const {
  const Parameter* const weight = parameters_.find(config_.is_tied() ? "embedding.weight" : "head.weight");
  require(weight != nullptr,
          "this model was saved as a classifier, without its head over tokens: it cannot write text");
  return weight->for_products();
}

Tensor Model::hidden(const Pass& pass, KeyValueCache* cache) const { return read(*this, pass, cache, false); }
Tensor Model::hidden_with_front(const Pass& pass) const { return read(*this, pass, nullptr, true); }

VirtualTokens Model::front(std::span<const int32_t> rows) const {
  if (!hooks_) return {};
  const NoGradient no_gradient;
  const RandomScope scope(RandomKey{});  // what is drawn here is not missed elsewhere
  const Hooked hooked(*this);
  hooked.begin(rows, std::ssize(rows));
  const Tensor prompt = hooked.prompt(embedding_site());
  VirtualTokens out{.prompt = prompt ? prompt.size(-2) : 0};
  for (const LayerPart& layer : layers_)
    if (const Tensor k = hooked.key_values(layer.attention).first) out.prefix = std::max(out.prefix, k.size(-3));
  return out;
}

std::vector<ProductShape> Model::products() const {
  std::vector<ProductShape> out;
  const auto add = [&out](const Tensor& weight, int64_t count = 1, int64_t experts = 0) {
    const int64_t in = weight.size(1), rows = weight.size(0);
    const auto same = std::ranges::find_if(
        out, [&](const ProductShape& s) { return s.in == in && s.out == rows && (s.experts > 0) == (experts > 0); });
    if (same != out.end())
      same->count += count, same->experts += experts;
    else
      out.push_back({in, rows, count, static_cast<double>(held_bytes(weight)), experts});
  };
  for (const LayerPart& layer : layers_) {
    for (const LinearPart* part :
         {&layer.qkv, &layer.query, &layer.key, &layer.value, &layer.output, &layer.gate, &layer.up, &layer.down,
          &layer.router, &layer.shared_gate, &layer.shared.gate, &layer.shared.up, &layer.shared.down})
      if (*part) add(part->weight->for_products());
    if (!layer.router) continue;
    for (const LinearPart& part : {layer.experts[0].gate, layer.experts[0].up, layer.experts[0].down})
      add(part.weight->for_products(), config_.experts_per_token, config_.experts);
  }
  if (config_.outputs == 0) add(head_weight());
  return out;
}

int64_t Model::idle_parameters() const {
  if (config_.experts == 0) return 0;
  const int64_t of_expert = 3 * config_.channels * config_.expert_hidden;
  return config_.sparse_layers() * (config_.experts - config_.experts_per_token) * of_expert;
}

double ProductShape::read(int64_t tokens) const {
  if (experts == 0) return static_cast<double>(count);
  const double missed = 1 - static_cast<double>(count) / static_cast<double>(experts);
  return static_cast<double>(experts) * (1 - std::pow(missed, static_cast<double>(tokens)));
}

// 2 a multiplication and addition, thrice: forward, and backward for the input and for the weight. A token looks at
// (tokens + 1) / 2 others on average, once for its scores and once for their use.
double Model::flops_per_token(int64_t tokens) const {
  double products = 0;
  for (const ProductShape& s : this->products()) products += static_cast<double>(s.in * s.out * s.count);
  const auto width = static_cast<double>(config_.layers * config_.heads * config_.head_dim);
  return 6 * (products + width * static_cast<double>(tokens + 1));
}

}  // namespace rgm
