// read_evaluate.cpp - when a stage is evaluated, when that ends it, and by which number the weights that it leaves are
// the best.
#include <algorithm>

#include "base/text.hpp"
#include "pipeline/data_sources.hpp"
#include "pipeline/reader.hpp"

namespace rgm {
namespace {

constexpr Range decay{.min = 0, .max = 1, .above = true, .below = true};

// By how the number's name ends; nothing where that does not tell.
std::optional<bool> highest_is_best(const std::string& name) {
  const auto ends = [&](const char* end) { return name.ends_with(end); };
  if (ends("loss") || ends("perplexity") || ends("divergence")) return false;
  if (ends("accuracy") || ends("accuracy_normalized") || ends("reward")) return true;
  return std::nullopt;
}

// NAME, or {NAME: highest} where the other would be taken or nothing tells.
void read_best(const Yaml& given, Stage& out) {
  const std::string wanted = "NAME, {NAME: highest} or {NAME: lowest}";
  out.keep = "best";
  out.best_by.clear();
  if (given.is_scalar() && !given.node().Scalar().empty()) {
    const std::string name = given.node().Scalar();
    if (const auto highest = highest_is_best(name)) {
      out.best_by = name;
      out.highest_is_best = *highest;
    } else {
      given.problem(
          fmt::format("whether the highest or the lowest \"{0}\" is the best does not follow from its name: write "
                      "{{best: {{{0}: highest}}}}, or lowest",
                      name));
    }
  } else if (given.is_map() && given.node().size() == 1) {
    YamlMap map(given, "best");
    const YamlMap::Item& number = map.items().front();
    if (number.name.empty())
      given.wrong(wanted);
    else if (const auto which = number.value.choice({"highest", "lowest"})) {
      out.best_by = number.name;
      out.highest_is_best = which == "highest";
    }
  } else {
    given.wrong(wanted);
  }
}

}  // namespace

void read_keep(YamlMap& map, Stage& out) {
  const auto given = map.find("keep");
  if (!given) return;
  const std::string wanted = "last, best, {best: NAME} or {average: DECAY}";
  if (given->is_map()) {
    YamlMap keep(*given, "keep");
    if (keep.items().empty()) given->wrong(wanted);
    out.keep = "last";
    out.best_by.clear();
    out.average = 0;
    if (const auto best = keep.find("best")) read_best(*best, out);
    keep.read("average", out.average, decay);
    keep.finish();
    return;
  }
  const std::vector<std::string> words = {"last", "best"};
  const std::string word = given->is_scalar() ? given->node().Scalar() : "";
  if (!std::count(words.begin(), words.end(), word)) {
    given->wrong(wanted, did_you_mean(word, words));
    return;
  }
  out.keep = word;
  out.best_by.clear();
  out.average = 0;
}

void read_evaluate(YamlMap& stage, Stage& out) {
  const auto given = stage.find("evaluate");
  if (!given) return;
  if (!given->is_map()) {
    given->wrong("{every: steps} or {epochs: N}");
    return;
  }
  YamlMap map(*given, "evaluate");
  if (map.has("every") && map.has("epochs"))
    map.key("epochs").problem("\"every\" (steps) and \"epochs\" both say when: leave one of them out");
  if (map.has("every") || map.has("epochs")) out.evaluate_every = 0, out.evaluate_epochs = 0;
  map.read("every", out.evaluate_every, 1);
  map.read("epochs", out.evaluate_epochs, epochs);
  map.read("patience", out.patience, 1);
  const bool is_at_end_only = out.evaluate_every == 0 && out.evaluate_epochs == 0;
  if (map.has("patience") && is_at_end_only && map.lacks("every") && map.lacks("epochs"))
    map.key("patience")
        .problem("\"patience\" counts evaluations before the end, and there are none: add every: STEPS, or epochs: N");
  map.finish();
}

void check_best(YamlMap& map, const Stage& stage) {
  const std::string& name = stage.best_by;
  const bool is_of_choices = name.starts_with("accuracy") || name.starts_with("choice");
  if (is_of_choices && stage.data.contains(choices_source)) return;
  if (name.empty() || name.starts_with("validation_") || stage.strategy.component->table<rgm_strategy>().evaluate)
    return;
  const Yaml& place = map.has("keep") ? map.key("keep") : map.key("checkpoint");
  place.problem(fmt::format(
      "strategy \"{}\" reports no \"{}\" of held-out data, where what its steps report is called validation_…: write "
      "keep: {{best: validation_{}}}",
      stage.strategy.id, name, name));
}

}  // namespace rgm
