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
  if (has_held_out && !wishes.contains(choices_source)) all.emplace_back(choices_source);
  return all;
}

Sources sources_of(const Stage& stage, const YamlMap* data) {
  Sources out;
  if (!stage.strategy.component) return out;
  const auto& strategy = stage.strategy.component->table<rgm_strategy>();
  out.known = true;
  out.has_held_out = strategy.loss;
  out.main_names = {"train"};
  if (strategy.rollout) {
    out.main_names = {"prompts", "samples", "train"};
    // One that a column names, as in `train.text`, is a further source.
    for (const rgm_column* const* c = strategy.columns; *c; ++c)
      std::erase_if(out.main_names,
                    [&](const std::string& name) { return std::string_view((*c)->name).starts_with(name + "."); });
  }
  out.main = out.main_names[0];
  if (data)
    for (const std::string& name : out.main_names)
      if (data->has(name)) {
        out.main = name;
        break;
      }
  // `comes_with_answers`: the data may have it, too, but need not.
  const auto wish = [&](const rgm_column& column, const std::string& who, bool comes_with_answers = false) {
    const std::string name = column.name;
    const size_t dot = name.find('.');
    const std::string source = dot == std::string::npos ? out.main : name.substr(0, dot);
    Wishes& all = out.wishes[source];
    const std::string own = dot == std::string::npos ? name : name.substr(dot + 1);
    const auto same = std::ranges::find(all, own, &ColumnWish::name);
    if (same == all.end())
      all.push_back({own, column.kind, column.flags | (comes_with_answers ? uint32_t{RGM_OPTIONAL} : 0)});
    else if (same->kind != column.kind && !comes_with_answers)
      out.clashes.push_back(fmt::format(
          "{} reads the column \"{}\" as {}, which the stage reads as {} already: the two cannot work on the same data",
          who, name, name_of_kind(column.kind), name_of_kind(same->kind)));
    else if (!comes_with_answers)
      same->flags &= column.flags | ~uint32_t{RGM_OPTIONAL};  // needed where one of them needs it
  };
  for (const rgm_column* const* c = strategy.columns; *c; ++c)
    wish(**c, fmt::format("strategy \"{}\"", stage.strategy.id));
  for (const Choice& reward : stage.rewards) {
    if (!reward.component || reward.is_taken()) continue;
    const auto& table = reward.component->table<rgm_reward>();
    const auto comes_with_answers = [&](const rgm_column& column) {
      constexpr std::array made = {"prompt", "text", "origin", "finished"};
      return strategy.rollout && std::ranges::count(made, std::string_view(column.name)) > 0;
    };
    for (const rgm_column* const* c = table.columns; *c; ++c)
      wish(**c, fmt::format("reward \"{}\"", reward.id), comes_with_answers(**c));
  }
  return out;
}

}  // namespace rgm
