// check_rewards.cpp - a reward in a stage whose strategy does not say that it asks for scores.
#include <algorithm>

#include "base/log.hpp"
#include "pipeline/overrides.hpp"
#include "pipeline/reader.hpp"

namespace rgm {

// Scores are asked for outside of a loss, so one that has nothing beside it asks for none; any other may do so where
// there happens to be a reward.
void check_unused_reward(const Reader& reader, YamlMap& map, const Stage& stage, uint32_t needs) {
  if (!map.has("reward") || stage.rewards.empty() || needs & (RGM_NEEDS_REWARD | RGM_TRAINS_REWARD)) return;
  const auto& s = stage.strategy.component->table<rgm_strategy>();
  const bool may_score = s.prepare || s.annotate || s.rollout || s.evaluate || s.conclude || s.after_step;
  const bool may_train = std::ranges::any_of(stage.rewards, [](const Choice& r) {
    return !r.is_taken() && r.component && r.component->table<rgm_reward>().loss;
  });
  if (!may_score && !may_train)
    map.key("reward").problem(
        fmt::format("strategy \"{}\" asks no reward for scores: leave \"reward\" out", stage.strategy.id));
  else
    log::warning(
        "{}: strategy \"{}\" does not say that it asks for scores with the options given here: \"reward\" may "
        "have no effect; if the strategy is your own and asks for them, its plan has to say needs_reward",
        reader.citations.place(reader.problems, map.key("reward").node().Mark()), stage.strategy.id);
}

}  // namespace rgm
