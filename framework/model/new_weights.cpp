// new_weights.cpp - a new model, and a new head on one that is there: what their weights are drawn from.
#include <cmath>

#include "model/model.hpp"
#include "tensor/ops.hpp"
#include "tensor/views.hpp"

namespace rgm {
namespace {

constexpr uint32_t initial_draws = 0x696e6974, head_draws = 0x68656164;  // keeps them apart from those of training

// A parameter as the slot wants it: memory in the file's order, seen in ours.
Tensor in_slot(const ParameterSlot& slot, const Tensor& in_file_order) {
  return slot.transposed ? alias(in_file_order, views::transposed(in_file_order.view())) : in_file_order;
}

Tensor initial(const ParameterSlot& slot, const ModelConfig& config, uint64_t seed, uint64_t index, rgm_dtype dtype) {
  if (slot.shape.rank() == 1)
    return ops::full(slot.shape, slot.ours.ends_with(".weight") && !config.family->weights_from_one ? 1 : 0);
  const RandomScope scope({.seed = seed, .step = index, .micro_batch = initial_draws});
  const bool onto_stream = slot.ours.ends_with("attention.output.weight") || slot.ours.ends_with(".down.weight");
  // Nguyen and Salazar 2019 (arXiv 1910.05895): GPT-2's 0.02 at its 768 to 1,600 channels, and no less at few.
  const double deviation = std::sqrt(0.4 / static_cast<double>(config.channels));
  const double scale = onto_stream ? deviation / std::sqrt(2.0 * static_cast<double>(config.layers)) : deviation;
  const Shape shape = slot.transposed ? Shape{slot.shape[1], slot.shape[0]} : slot.shape;
  return in_slot(slot, ops::cast(ops::affine(ops::random(shape, RGM_NORMAL), scale, 0), dtype));
}

}  // namespace

std::shared_ptr<Model> Model::create(const ModelConfig& config, TokenizerPtr tokenizer, uint64_t seed,
                                     const NarrowWeights& narrow) {
  const NoGradient no_gradient;
  std::shared_ptr<Model> out(new Model(config, std::move(tokenizer)));
  uint64_t index = 0;
  int64_t idle = 0;
  for (const ParameterSlot& slot : parameter_slots(out->config_)) {
    const NarrowWeights::Form form = narrow.form(slot, config);
    out->parameters_.add(slot.ours,
                         NarrowWeights::kept(initial(slot, config, seed, index++, NarrowWeights::dtype(form)), form),
                         form == NarrowWeights::Form::float32);
    idle = std::max(idle, slot.shape.count());
    if (idle > large_weight) current_device().trim(), idle = 0;  // what weights were drawn into would lie idle
  }
  current_device().trim();
  out->narrow_ = narrow.any();
  out->make_layers();
  return out;
}

// As transformers starts one: normal with a deviation of 0.02, no bias.
void Model::add_head(int64_t outputs, std::vector<std::string> labels, uint64_t seed) {
  const NoGradient no_gradient;
  const RandomScope scope({.seed = seed, .step = 0, .micro_batch = head_draws});
  config_.outputs = outputs;
  config_.labels = std::move(labels);
  parameters_.remove_last("score.weight");
  parameters_.remove_last("head.weight");
  parameters_.add("score.weight", ops::affine(ops::random({outputs, config_.channels}, RGM_NORMAL), 0.02, 0), true);
}

}  // namespace rgm
