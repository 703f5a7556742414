// open_model.cpp - the models of a stage: new ones, those that are taken, and whether they read the same tokens.
#include "pipeline/open_model.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "pipeline/added_tokens.hpp"
#include "pipeline/open_stage.hpp"
#include "pipeline/taken_model.hpp"

namespace rgm {
namespace {

int64_t size_or(const ModelSpec& spec, const char* key, int64_t otherwise) {
  const auto found = spec.sizes.find(key);
  return found == spec.sizes.end() ? otherwise : found->second;
}

// A new head where the pipeline asks for one that the model does not have already.
std::shared_ptr<Model> with_head(std::shared_ptr<Model> model, const ModelSpec& spec, uint64_t seed) {
  const ModelConfig& have = model->config();
  if (!spec.head_outputs || (*spec.head_outputs == have.outputs && spec.head_labels == have.labels)) return model;
  require(*spec.head_outputs > 0, "{}: the model was saved as a classifier, without its head over tokens",
          spec.from_folder.empty() ? spec.from_stage : spec.from_folder.string());
  model->add_head(*spec.head_outputs, spec.head_labels, seed);
  return model;
}

}  // namespace

ModelConfig config_of(const ModelSpec& spec, int64_t vocabulary) {
  ModelConfig config;
  config.family = &family(spec.family);
  config.layers = size_or(spec, "layers", config.layers);
  config.heads = size_or(spec, "heads", config.heads);
  config.kv_heads = size_or(spec, "kv_heads", config.heads);
  config.channels = size_or(spec, "channels", config.channels);
  config.head_dim = config.channels / config.heads;
  config.hidden = size_or(spec, "hidden", usual_hidden(*config.family, config.channels));
  config.context = size_or(spec, "context", config.context);
  config.vocabulary = size_or(spec, "vocabulary", vocabulary);
  if (const auto found = spec.reals.find("dropout"); found != spec.reals.end()) config.dropout = found->second;
  config.tied = spec.tied;
  config.experts = size_or(spec, "experts", 0);
  config.experts_per_token = size_or(spec, "experts_per_token", 0);
  config.expert_hidden = size_or(spec, "expert_hidden", 0);
  config.shared_hidden = size_or(spec, "shared_hidden", 0);
  begin_new(config);
  if (const auto found = spec.reals.find("balance"); found != spec.reals.end()) config.balance = found->second;
  return config;
}

void require_same_tokens(const std::string& what, const Model& its, const Model& policy) {
  const Tokenizer &one = *its.tokenizer(), &other = *policy.tokenizer();
  if (&one == &other) return;
  const std::vector<std::string> its_pieces = one.pieces(), pieces = other.pieces();
  if (its_pieces.size() >= pieces.size() && std::equal(pieces.begin(), pieces.end(), its_pieces.begin())) return;
  if (its_pieces.size() < pieces.size() && std::equal(its_pieces.begin(), its_pieces.end(), pieces.begin()))
    invalid(
        "{}: its model lacks tokens that the model being trained has: {}; use one that was trained with them (a "
        "reference that is left out is the model itself as the stage begins)",
        what, names_of(std::span(pieces).subspan(its_pieces.size())));
  invalid(
      "{}: its model has a different tokenizer ({} tokens) from the model being trained ({}), whose tokens it would "
      "read; use one that comes from the same base",
      what, one.vocabulary(), other.vocabulary());
}

std::shared_ptr<Model> take_model(const ModelSpec& spec, const Surroundings& around, const NarrowWeights& narrow) {
  if (around.planned && !spec.from_stage.empty()) {
    const Model& like = *around.planned->at(spec.from_stage);
    return Model::create(like.config(), like.tokenizer(), around.pipeline.seed, narrow);
  }
  return Model::open(place_of(spec, around).model, narrow);
}

std::shared_ptr<Model> make_model(const Stage& stage, const DataSpec* train, uint64_t seed,
                                  const Surroundings& around) {
  const ModelSpec& spec = stage.model;
  const NarrowWeights narrow = narrow_policy(stage);
  if (!spec.from_stage.empty() || !spec.from_folder.empty()) {
    const auto taken = spec.merged ? take_merged(stage, around, narrow) : take_model(spec, around, narrow);
    add_tokens(stage, *taken);
    return with_head(taken, spec, seed);
  }
  const TokenizerPtr tokenizer =
      make_tokenizer(stage.tokenizer, train, wishes_of(stage)[main_source_of(stage)], around.cache);
  if (stage.tokenizer.kind == "bpe" && tokenizer->vocabulary() < stage.tokenizer.vocabulary)
    log::warning("the text has too few different pairs for {} tokens: the vocabulary is {}", stage.tokenizer.vocabulary,
                 tokenizer->vocabulary());
  const ModelConfig config = config_of(spec, tokenizer->vocabulary());
  require(config.vocabulary >= tokenizer->vocabulary(),
          "stage \"{}\": the tokenizer has {} tokens, and model: {{vocabulary: {}}} has no room for them; write at "
          "least as many, or leave it out",
          stage.name, tokenizer->vocabulary(), config.vocabulary);
  return with_head(Model::create(config, tokenizer, seed, narrow), spec, seed);
}

}  // namespace rgm
