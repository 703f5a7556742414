// open_reward.cpp - creates rewards, and attaches learned ones to the model that carries them.
#include "pipeline/open_reward.hpp"

#include "base/text.hpp"
#include "plugins/options.hpp"

namespace rgm {
namespace {

// The reward that a saved model carries: the one that its parameters are filed under.
std::string reward_in(Model& model, const fs::path& folder) {
  constexpr std::string_view prefix = "reward.";
  for (const auto& [name, value] : model.saved_extra())
    if (name.starts_with(prefix)) return name.substr(prefix.size(), name.find('.', prefix.size()) - prefix.size());
  invalid("{}: no reward was learned there: its heads.safetensors has no \"reward.\" parameters", folder.string());
}

void attach(Reward& reward, uint64_t seed, bool trained, rgm_tokenizer& tokenizer) {
  reward.scope = std::make_unique<rgm_scope>();
  reward.scope->parameters = &reward.model->extra();
  reward.scope->saved = &reward.model->saved_extra();
  reward.scope->prefix = fmt::format("reward.{}.", reward.id);
  reward.scope->seed = seed;
  reward.scope->trained = trained;
  rgm_model_info info{};
  info.struct_size = sizeof info;
  fill_info(*reward.model, &tokenizer, info);
  check_status(reward.table->attach(reward.self, &info, reward.scope.get()));
}

}  // namespace

void open_rewards(const Stage& stage, const Surroundings& around, rgm_train& train) {
  for (const Choice& choice : stage.rewards) {
    Reward reward;
    reward.id = choice.id;
    reward.weight = choice.weight;
    const Component* component = choice.component;
    std::shared_ptr<rgm_config> config = choice.config;
    const bool taken = !choice.from_stage.empty() || !choice.from_folder.empty();
    if (taken) {
      ModelSpec from;
      from.from_stage = choice.from_stage;
      from.from_folder = choice.from_folder;
      reward.model = take_model(from, around);
      freeze(*reward.model);
    }
    if (!component) {
      reward.id = reward_in(*reward.model, choice.from_folder);
      component = &around.registry.find(RGM_KIND_REWARD, reward.id);
      Problems problems(choice.from_folder.string());
      config = read_options(*component->data, YAML::Node(), problems);
      problems.raise();
    }
    reward.table = &component->table<rgm_reward>();
    check_status(reward.table->create(config.get(), &reward.self));
    if (reward.table->attach) {
      if (!taken) reward.model = train.policy;
      attach(reward, train.seed, !taken, train.tokenizer);
    }
    train.rewards.push_back(std::move(reward));
  }
}

}  // namespace rgm
