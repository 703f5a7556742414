// check_demands.cpp - what is demanded of a result that will not have it: told before hours of training, not behind
// them.
#include <algorithm>
#include <array>

#include "base/log.hpp"
#include "base/text.hpp"
#include "pipeline/data_sources.hpp"
#include "pipeline/overrides.hpp"
#include "pipeline/reader.hpp"

namespace rgm {
namespace {

// Whether the model that the stage trains has labels; nothing where a folder has to be opened for that.
std::optional<bool> has_labels(const Reader& reader, const ModelSpec& model) {
  if (model.head_outputs) return *model.head_outputs > 1;
  if (!model.family.empty()) return false;
  for (const Stage& stage : reader.stages)
    if (!model.from_stage.empty() && stage.name == model.from_stage) return has_labels(reader, stage.model);
  return std::nullopt;
}

// Without hooks of its own for it, a strategy is evaluated by its loss, and what it measures there is validation_….
bool is_judged_by_its_loss(const rgm_strategy& s) { return !s.evaluate && !s.prepare && !s.rollout; }

bool reads_labels(const rgm_strategy& s) {
  for (const rgm_column* const* column = s.columns; *column; ++column)
    if ((*column)->kind == RGM_LABEL_COLUMN) return true;
  return false;
}

// Empty where the stage has an accuracy, or where that is its strategy's own matter.
std::string why_no_accuracy(const Reader& reader, const Stage& stage) {
  const auto& strategy = stage.strategy.component->table<rgm_strategy>();
  if (is_judged_by_its_loss(strategy))
    return fmt::format(
        "strategy \"{}\" reports no \"accuracy\": it is judged by its loss, and what it measures on held-out data is "
        "called validation_…; demand validation_loss: {{at_most: NUMBER}}",
        stage.strategy.id);
  if (reads_labels(strategy) && has_labels(reader, stage.model) == false)
    return "accuracy is measured on labels, and the model has none: add head: {classify: {labels: [names]}} to "
           "\"model\", or demand validation_loss: {at_most: NUMBER}";
  return "";
}

}  // namespace

void check_demands(const Reader& reader, YamlMap& map, const Stage& stage, bool validates) {
  const auto given = map.find("demand");
  if (!given || !given->is_map()) return;
  constexpr std::array common = {"accuracy", "best_step", "loss",   "peak_memory_bytes",  "rows",
                                 "seconds",  "steps",     "tokens", "trained_parameters", "validation_loss"};
  const std::vector<std::string> usual(common.begin(), common.end());
  YamlMap demands(*given, "demand");
  for (const YamlMap::Item& item : demands.items()) {
    const bool is_accuracy = item.name == "accuracy" && !stage.data.contains(choices_source);
    const bool is_held_out = item.name.starts_with("validation_");
    const std::string why = is_accuracy ? why_no_accuracy(reader, stage) : "", near = did_you_mean(item.name, usual);
    if (!why.empty())
      item.key.problem(why);
    else if ((is_held_out || is_accuracy) && !validates)
      item.key.problem(fmt::format(
          "\"{}\" is measured on held-out data, and there is none: add data: {{validation: {{split: 0.1}}}}, or a file",
          item.name));
    else if (is_held_out && item.name != "validation_loss" && stage.strategy.component->table<rgm_strategy>().evaluate)
      log::warning(
          "{}: strategy \"{}\" evaluates in its own way: what steps show as \"{}\" is called \"{}\" in its result",
          reader.citations.place(reader.problems, item.key.node().Mark()), stage.strategy.id, item.name,
          item.name.substr(std::string_view("validation_").size()));
    else if (!near.empty() && !is_held_out && std::ranges::find(usual, item.name) == usual.end())
      log::warning("{}: \"{}\" is not a number that every result has{}",
                   reader.citations.place(reader.problems, item.key.node().Mark()), item.name, near);
  }
}

}  // namespace rgm
