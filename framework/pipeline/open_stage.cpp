// open_stage.cpp - opens what a stage names, in the order it depends on each other: model, adapters, rewards, data.
#include "pipeline/open_stage.hpp"

#include "base/log.hpp"
#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "pipeline/added_tokens.hpp"
#include "pipeline/device.hpp"
#include "pipeline/open_reward.hpp"
#include "pipeline/row_room.hpp"

namespace rgm {
namespace {

// Every model that the stage reads: with what precision it does.
void set_precision(const Stage& stage, OpenedStage& out) {
  if (stage.precision != "bfloat16") return;
  out.model->use_bfloat16();
  for (auto& [name, handle] : out.train->roles)
    if (handle.model->dtype() != RGM_BF16) handle.model->use_bfloat16();
  for (const Reward& reward : out.train->rewards)
    if (reward.model && reward.model->dtype() != RGM_BF16) reward.model->use_bfloat16();
}

// Of what the models that are open keep; roles that are left out are made of the policy, when they are asked for.
void warn_of_weights(const Stage& stage, const OpenedStage& opened) {
  const auto& strategy = stage.strategy.component->table<rgm_strategy>();
  if (stage.weights == "float32" || !strategy.loss || *strategy.roles) return;
  const auto is_wide = [](const Model& model) {
    return model.parameters().narrow_count() == 0 && model.parameters().quantized_count() == 0;
  };
  for (const Reward& reward : opened.train->rewards)
    if (reward.model && !is_wide(*reward.model)) return;
  if (is_wide(*opened.model))
    log::warning(
        "stage \"{}\": weights: {} changes nothing, as every matrix is trained, in float32: leave it out, or train "
        "less "
        "of the model, as with an adapter",
        stage.name, stage.weights);
}

// What is only read at the end is looked at now: a night's training must not end in a mistake of the prompt.
void check_sample(const Stage& stage, const Model& model) {
  if (stage.sample_prompt.empty() || !stage.strategy.component->table<rgm_strategy>().loss) return;
  require_text(model, fmt::format("{}: sample", stage.name));
  try {
    require(!model.tokenizer()->encode(stage.sample_prompt).empty(), "the prompt has no tokens");
  } catch (const Error& e) {
    invalid("{}: sample: {}", stage.name, e.what());
  }
}

}  // namespace

std::vector<Adapters*> OpenedStage::adapter_sets() const {
  std::vector<Adapters*> out;
  if (adapters) out.push_back(adapters.get());
  if (ensemble)
    for (const auto& member : ensemble->sets()) out.push_back(member.get());
  return out;
}
int64_t OpenedStage::parameters() const {
  int64_t n = model->parameters().count() + model->extra().count();
  for (Adapters* set : adapter_sets()) n += set->parameters().count();
  return n;
}
uint64_t OpenedStage::parameter_bytes() const {
  uint64_t n = model->parameters().bytes() + model->extra().bytes();
  for (Adapters* set : adapter_sets()) n += set->parameters().bytes();
  return n;
}
int64_t OpenedStage::trained_parameters() const {
  int64_t n = 0;
  for (const Parameters* store : setup.parameters) n += store->trained_count();
  return n;
}
bool OpenedStage::base_is_frozen() const { return model->parameters().trained_count() == 0; }

OpenedStage open_stage(const Stage& stage, size_t index, const Surroundings& around, bool with_data) {
  const uint64_t seed = mix(around.pipeline.seed, index);
  const std::string main = main_source_of(stage);
  OpenedStage out;
  if (stage.precision == "bfloat16")
    require_bfloat16(fmt::format("stage \"{}\": precision: bfloat16", stage.name), "write precision: float32");
  std::optional<DataSpec> train;
  if (stage.data.count(main)) train = data_of(stage, main, around.run);
  out.model = make_model(stage, train ? &*train : nullptr, seed, around);
  out.train = std::make_unique<rgm_train>();
  open_adapters(stage, seed, around, out);
  const bool trains = stage.strategy.component->table<rgm_strategy>().loss;
  if (trains)
    select_trained(stage, *out.model);
  else
    freeze(*out.model);
  require_trained_rows(stage, *out.model);

  out.train->seed = seed;
  out.train->stage = stage.name;
  out.train->policy = out.model;
  out.train->adapters = !out.adapter_sets().empty();
  require(out.model->config().context > out.model->virtual_tokens(),
          "{}: {} virtual tokens stand before the text, and the model's context is {}: no room is left for the text; "
          "ask the adapter for fewer, or use a model with a larger context",
          stage.name, out.model->virtual_tokens(), out.model->config().context);
  out.train->tokenizer = {out.model->tokenizer()};
  for (const auto& [source, wishes] : wishes_of(stage))
    for (ColumnWish wish : wishes) {
      if (source != main) wish.name = source + "." + wish.name;
      out.train->wishes.push_back(std::move(wish));
    }
  open_roles(stage, around, out);
  open_rewards(stage, around, *out.train);
  warn_of_weights(stage, out);
  set_precision(stage, out);
  out.model->recompute = stage.recompute;
  for (const auto& trained : out.trained) trained.second->recompute = stage.recompute;
  const RowRoom room = row_room(stage, *out.train);
  out.train->context = room.least;
  out.train->length = stage.length;
  out.train->by_length = room.is_least_by_length();
  for (auto& [name, handle] : out.train->roles) handle.length = stage.length;
  if (with_data) open_sources(stage, around, room, out);

  std::vector<Parameters*>& stores = out.setup.parameters;
  const auto add = [&](Model& model) { stores.insert(stores.end(), {&model.parameters(), &model.extra()}); };
  add(*out.model);
  for (Adapters* set : out.adapter_sets()) stores.push_back(&set->parameters());
  for (const auto& [name, model] : out.trained) add(*model);
  out.setup.settings = stage;
  out.setup.strategy = &stage.strategy.component->table<rgm_strategy>();
  out.setup.config = stage.strategy.config.get();
  out.setup.strategy_id = stage.strategy.id;
  out.setup.strategy_name = plugin_name("strategy", stage.strategy.id, stage.strategy.component->path);
  out.setup.train = out.train.get();
  out.setup.main_source = main;
  out.setup.folder = around.run / stage.name;
  out.setup.flops_per_token = out.model->flops_per_token(out.train->context);
  check_sample(stage, *out.model);
  return out;
}

}  // namespace rgm
