// open_reward.cpp - creates rewards, attaches learned ones to the model that carries them, and finds those that are the
// head of a model.
#include "pipeline/open_reward.hpp"

#include <set>

#include "base/log.hpp"
#include "host/tables.hpp"
#include "pipeline/reward_head.hpp"
#include "pipeline/taken_model.hpp"
#include "plugins/options.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {

// `learned`: what it was saved with is there, and a parameter that is not was never learned.
void attach(Reward& reward, uint64_t seed, bool trained, bool learned, rgm_tokenizer* tokenizer) {
  reward.scope = std::make_unique<rgm_scope>();
  reward.scope->parameters = &reward.model->extra();
  reward.scope->saved = &reward.model->saved_extra();
  reward.scope->prefix = fmt::format("reward.{}.", reward.id);
  reward.scope->seed = seed;
  reward.scope->trained = trained;
  rgm_model_info info{};
  info.struct_size = sizeof info;
  fill_info(*reward.model, tokenizer, info);
  std::set<std::string> saved;
  for (const auto& [name, value] : reward.model->saved_extra()) saved.insert(name);
  call_plugin(reward.name, "attach", [&] { return reward.table->attach(reward.self, &info, reward.scope.get()); });
  reward.scope->closed = true;
  if (!learned) return;
  for (const Parameter& p : reward.model->extra().all())
    require(!p.name.starts_with(reward.scope->prefix) || saved.contains(p.name),
            "reward \"{}\": {} has not learned its {}: run the stage that trains it first", reward.id, reward.label,
            p.name);
}

HeadReward head_of(const Stage& stage, const Choice& choice, const Reward& reward) {
  try {
    return head_reward(choice, *reward.model);
  } catch (const Error& e) {
    throw Error(e.status(), fmt::format("stage \"{}\": reward \"{}\": {}", stage.name, reward.id, e.what()));
  }
}

}  // namespace

void open_rewards(const Stage& stage, const Surroundings& around, rgm_train& train) {
  for (const Choice& choice : stage.rewards) {
    Reward reward;
    reward.label = !choice.from_stage.empty()    ? choice.from_stage
                   : !choice.from_folder.empty() ? (choice.from_folder / "").parent_path().filename().string()
                                                 : choice.id;
    reward.id = choice.is_head ? reward.label : choice.id;
    reward.name = choice.is_head ? fmt::format("reward \"{}\"", reward.id)
                                 : plugin_name("reward", choice.id, choice.component->path);
    reward.weight = choice.weight;
    reward.config = choice.config;
    const bool taken = choice.is_taken();
    if (taken) {
      ModelSpec from;
      from.from_stage = choice.from_stage;
      from.from_folder = choice.from_folder;
      TakenModel model = take_frozen(from, around, narrow_weights(stage));
      reward.model = std::move(model.model);
      reward.adapters = std::move(model.adapters);
      require_same_tokens(fmt::format("stage \"{}\": reward \"{}\"", stage.name, reward.id), *reward.model,
                          *train.policy);
    }
    if (choice.is_head) {
      reward.head = head_of(stage, choice, reward);
      if (reward.head->reads_end && !choice.end_of_text)
        log::info(
            "stage {}: reward \"{}\" is taken for a published reward model, which reads answers with their end "
            "of text, unless that is its padding; if it has learned without, write end_of_text: false",
            stage.name, reward.id);
      train.rewards.push_back(std::move(reward));
      continue;
    }
    reward.table = &choice.component->table<rgm_reward>();
    call_plugin(reward.name, "create", [&] { return reward.table->create(reward.config.get(), &reward.self); });
    if (reward.table->attach) {
      if (!taken) reward.model = train.policy;
      const bool is_planned = around.planned && !choice.from_stage.empty();
      attach(reward, train.seed, !taken, taken && !is_planned, tokenizer_handle(reward.model->tokenizer()));
      if (!taken) reward.model->notes()["reward." + reward.id] = to_json(*reward.config).dump();
    }
    train.rewards.push_back(std::move(reward));
  }
}

}  // namespace rgm
