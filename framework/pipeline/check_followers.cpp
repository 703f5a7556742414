// check_followers.cpp - roles that follow the policy, with options that ask for it: who has adapters is known before
// any model is opened.
#include "host/follower.hpp"
#include "pipeline/reader.hpp"

namespace rgm {
namespace {

// Whether a model comes with adapters, as far as stages made it; of a folder that is seen when it is opened.
bool comes_with_adapters(const Reader& reader, const ModelSpec& model) {
  if (model.merged || model.from_stage.empty()) return false;
  for (const Stage& stage : reader.stages)
    if (stage.name == model.from_stage) return !stage.adapters.empty() || comes_with_adapters(reader, stage.model);
  return false;
}

}  // namespace

void check_followers(const Reader& reader, YamlMap& map, const Stage& stage) {
  if (stage.ensemble > 1)
    map.key("ensemble")
        .problem(fmt::format(
            "with the options given here a model of strategy \"{}\" follows the policy, and an ensemble has as "
            "many policies as members: leave \"ensemble\" out, or that option",
            stage.strategy.id));
  const bool is_adapted = !stage.adapters.empty() || comes_with_adapters(reader, stage.model);
  for (const rgm_role* const* r = stage.strategy.component->table<rgm_strategy>().roles; *r; ++r) {
    const auto given = stage.roles.find((*r)->name);
    if (!((*r)->flags & RGM_FOLLOWS) || given == stage.roles.end()) continue;
    const bool comes_adapted = comes_with_adapters(reader, given->second);
    if (is_adapted || comes_adapted)
      map.key(given->first)
          .problem(fmt::format("\"{}\" {}", given->first, is_adapted ? follows_an_adapter : follows_with_an_adapter));
  }
}

}  // namespace rgm
