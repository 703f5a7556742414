// trainable.cpp - which of a model's parameters are trained, as `trainable:` says, and how the others are kept, as
// `weights:` does.
#include <algorithm>

#include "base/text.hpp"
#include "pipeline/open_model.hpp"

namespace rgm {
namespace {

// The names that `trainable:` means, of a model of `layers` with or without a head over tokens beside its embedding.
std::vector<std::string> trained_patterns(const Stage& stage, bool scores, bool own_head, int64_t layers) {
  const std::string& kind = stage.trainable_kind;
  const std::string head = scores ? "score.*" : "head.*";
  if (kind == "all") return {"*"};
  // A head of the model's own is trained beside an adapter, as nobody else would.
  if (kind == "adapter") return scores ? std::vector{head} : std::vector<std::string>();
  // A tied head is the embedding.
  if (kind == "head") return {scores || own_head ? head : "embedding.weight"};
  if (kind != "last") return stage.trainable_names;
  std::vector<std::string> out = {"norm.*", head};
  for (int64_t i = std::max<int64_t>(0, layers - stage.trainable_last); i < layers; ++i)
    out.push_back(fmt::format("layers.{}.*", i));
  return out;
}

NarrowWeights::Form form_of(const std::string& type) {
  return type == "nf4" ? NarrowWeights::Form::nf4 : NarrowWeights::Form::bfloat16;
}

}  // namespace

NarrowWeights narrow_weights(const std::string& type) {
  return type == "float32" ? NarrowWeights() : NarrowWeights::all(form_of(type));
}
NarrowWeights narrow_weights(const Stage& stage) { return narrow_weights(stage.weights); }

NarrowWeights narrow_policy(const Stage& stage) {
  if (stage.weights == "float32" || !stage.strategy.component->table<rgm_strategy>().loss) return narrow_weights(stage);
  const auto frozen = [&stage](const std::string& name, const ModelConfig& config) {
    const bool scores = stage.model.head_outputs.value_or(config.outputs) > 0;
    const auto patterns = trained_patterns(stage, scores, !scores && !config.is_tied(), config.layers);
    return std::ranges::none_of(patterns, [&](const std::string& pattern) { return matches(pattern, name); });
  };
  return NarrowWeights(frozen, form_of(stage.weights));
}

void freeze(Parameters& all) {
  for (Parameter& p : all.all())
    if (!p.buffer) all.set_trained(p, false);
}
void freeze(Model& model) {
  freeze(model.parameters());
  freeze(model.extra());
}

void select_trained(const Stage& stage, Model& model) {
  Parameters& all = model.parameters();
  const std::string& kind = stage.trainable_kind;
  require(kind != "last" || stage.trainable_last <= model.config().layers,
          "stage \"{}\": trainable: {{last: {}}}, and the model has {} layers; `all` trains them all", stage.name,
          stage.trainable_last, model.config().layers);
  const std::vector<std::string> patterns =
      trained_patterns(stage, all.find("score.weight"), all.find("head.weight"), model.config().layers);
  std::vector<bool> used(patterns.size(), false);
  std::vector<std::string> names;
  for (Parameter& p : all.all()) {
    names.push_back(p.name);
    if (p.buffer) continue;
    bool trained = false;
    for (size_t i = 0; i < patterns.size(); ++i)
      if (matches(patterns[i], p.name)) trained = used[i] = true;
    all.set_trained(p, trained);
  }
  if (kind != "names") return;
  for (size_t i = 0; i < patterns.size(); ++i)
    if (!used[i])
      invalid("stage \"{}\": trainable: no parameter matches \"{}\"{}; names look like \"{}\"", stage.name, patterns[i],
              did_you_mean(patterns[i], names), names.empty() ? "" : names.back());
}

}  // namespace rgm
