// data_sources.cpp - the columns of a stage's components, sorted by source: `pretrain.text` is `text` of `pretrain`.
#include "pipeline/data_sources.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace rgm {

bool Sources::needs(const std::string& source) const {
  const auto w = wishes.find(source);
  return w != wishes.end() &&
         std::any_of(w->second.begin(), w->second.end(), [](auto& wish) { return !(wish.flags & RGM_OPTIONAL); });
}
std::vector<std::string> Sources::names() const {
  std::vector<std::string> all = main_names;
  for (const auto& [source, w] : wishes)
    if (source != main) all.push_back(source);
  if (has_held_out) all.emplace_back("validation");
  return all;
}

Sources sources_of(const Stage& stage, const YamlMap* data) {
  Sources out;
  if (!stage.strategy.component) return out;
  const auto& strategy = stage.strategy.component->table<rgm_strategy>();
  out.known = true;
  out.has_held_out = strategy.loss;
  out.main_names = {"train"};
  if (strategy.rollout) out.main_names = {"prompts", "samples", "train"};
  out.main = out.main_names[0];
  if (data)
    for (const std::string& name : out.main_names)
      if (data->has(name)) {
        out.main = name;
        break;
      }
  const auto wish = [&](const rgm_column& column, uint32_t more_flags = 0) {
    const std::string name = column.name;
    const size_t dot = name.find('.');
    const std::string source = dot == std::string::npos ? out.main : name.substr(0, dot);
    Wishes& all = out.wishes[source];
    const std::string own = dot == std::string::npos ? name : name.substr(dot + 1);
    if (std::none_of(all.begin(), all.end(), [&](const ColumnWish& w) { return w.name == own; }))
      all.push_back({own, column.kind, column.flags | more_flags});
  };
  for (const rgm_column* const* c = strategy.columns; *c; ++c) wish(**c);
  for (const Choice& reward : stage.rewards) {
    if (!reward.component || !reward.from_stage.empty() || !reward.from_folder.empty()) continue;
    const auto& table = reward.component->table<rgm_reward>();
    // The data may have these, too, but an answer comes with them.
    const auto comes_with_answers = [&](const rgm_column& column) {
      constexpr std::array made = {"prompt", "text", "origin", "finished"};
      return strategy.rollout && std::ranges::count(made, std::string_view(column.name)) > 0;
    };
    for (const rgm_column* const* c = table.columns; *c; ++c)
      wish(**c, comes_with_answers(**c) ? uint32_t{RGM_OPTIONAL} : 0);
  }
  return out;
}

}  // namespace rgm
