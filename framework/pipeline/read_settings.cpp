// read_settings.cpp - how a stage trains: schedule, length, batches, evaluation, checkpoints; the optimizer is in
// read_optimizer.cpp. Read from the strategy's defaults first and from the pipeline then, so what is given last stays.
#include <algorithm>

#include "base/text.hpp"
#include "generate/generate.hpp"
#include "pipeline/reader.hpp"

namespace rgm {
namespace {

// Beyond what anyone trains: a slip of the finger becomes a message and not a run that never ends.
constexpr int64_t most_steps = 1'000'000'000, most_rows = 1 << 20, most_tokens = 1 << 20, most_samples = 10'000,
                  most_members = 64, longest_row = 1 << 24;

// `100`, or `3%` of all steps.
void read_step_count(YamlMap& map, const char* key, StepCount& out) {
  const auto given = map.find(key);
  if (!given) return;
  Problems ignored("");  // one message for both
  const std::string text = given->is_scalar() ? given->node().Scalar() : "";
  const YAML::Node share(text.substr(0, text.size() - text.ends_with('%')));
  const auto number = Yaml(share, "", ignored).number({.min = 0, .max = 100});
  if (const auto steps = Yaml(given->node(), "", ignored).integer(0)) {
    out = {.steps = *steps, .percent = 0};
  } else if (number && text.ends_with('%')) {
    out = {.steps = 0, .percent = *number};
  } else {
    const bool is_fraction = number && *number < 1 && !text.ends_with('%');
    given->wrong("a number of steps, at least 0, or a share of them, 0% to 100%",
                 is_fraction ? fmt::format("; did you mean {:g}%?", 100 * *number) : "");
  }
}

void read_schedule(const Yaml& given, ScheduleSpec& out) {
  const auto named = read_named(given, "schedule");
  if (!named) return;
  const std::vector<std::string> kinds = {"constant", "linear", "cosine", "wsd"};
  if (!std::count(kinds.begin(), kinds.end(), named->id)) {
    named->place.problem(not_known("schedule", named->id, kinds));
    return;
  }
  if (named->id != out.kind) {
    out = ScheduleSpec();
    out.kind = named->id;
  }
  if (named->options.node().IsNull()) return;
  YamlMap map(named->options, named->id);
  read_step_count(map, "warmup", out.warmup);
  if (out.kind == "wsd") read_step_count(map, "decay", out.decay);
  if (out.kind != "constant") map.read("final", out.final, single_not_negative);
  if (const double both = out.warmup.percent + out.decay.percent; out.kind == "wsd" && both > 100)
    map.key(map.has("decay") ? "decay" : "warmup")
        .problem(fmt::format("\"warmup\" and \"decay\" take {:g}% of the steps together: 100% is all there is", both));
  map.finish();
}

void read_steps(YamlMap& stage, Stage& out) {
  if (stage.has("steps") && stage.has("epochs"))
    stage.key("epochs").problem("\"steps\" and \"epochs\" both say how long: leave one of them out");
  if (stage.has("steps") || stage.has("epochs")) out.steps = 0, out.epochs = 0;
  stage.read("steps", out.steps, 1, most_steps);
  stage.read("epochs", out.epochs, epochs);
}

void read_checkpoint(YamlMap& stage, Stage& out) {
  if (const auto given = stage.find("checkpoint")) {
    YamlMap map(*given, "checkpoint");
    if (map.has("every") && map.has("minutes"))
      map.key("minutes").problem("\"every\" (steps) and \"minutes\" both say when: leave one of them out");
    if (map.has("every") || map.has("minutes")) out.checkpoint_every = 0, out.checkpoint_minutes = 0;
    map.read("every", out.checkpoint_every, 1);
    map.read("minutes", out.checkpoint_minutes, positive);
    read_keep(map, out);
    if (map.has("keep") && stage.has("keep"))
      stage.key("keep").problem("\"keep\" is also given in \"checkpoint\": leave one of them out");
    map.finish();
  }
  read_keep(stage, out);
}

// A number, or auto.
void read_micro_batch(YamlMap& stage, Stage& out) {
  const auto given = stage.find("micro_batch");
  if (!given) return;
  Problems ignored("");
  const std::vector<std::string> words = {"auto"};
  const std::string word = given->is_scalar() ? given->node().Scalar() : "";
  if (word == "auto") {
    out.micro_batch_auto = true;
    out.micro_batch = 0;
  } else if (!Yaml(given->node(), "", ignored).number()) {
    given->wrong(fmt::format("auto or a whole number, 1 to {}", most_rows), did_you_mean(word, words));
  } else if (const auto rows = given->integer(1, most_rows)) {
    out.micro_batch_auto = false;
    out.micro_batch = *rows;
  }
}

void read_every(YamlMap& stage, const char* key, int64_t& out) {
  const auto given = stage.find(key);
  if (!given) return;
  if (!given->is_map()) {
    given->wrong("{every: steps}");
    return;
  }
  YamlMap map(*given, key);
  map.read("every", out, 1);
  map.finish();
}

void read_trainable(const Yaml& given, Stage& out) {
  const std::string wanted = "all, head, adapter, {last: layers} or {names: [patterns]}";
  if (given.is_scalar()) {
    const std::vector<std::string> words = {"all", "head", "adapter"};
    const std::string word = given.node().Scalar();
    if (std::count(words.begin(), words.end(), word))
      out.trainable_kind = word;
    else
      given.wrong(wanted, did_you_mean(word, words));
    return;
  }
  if (!given.is_map() || given.node().size() != 1) {
    given.wrong(wanted);
    return;
  }
  YamlMap map(given, "trainable");
  if (map.read("last", out.trainable_last, 1)) out.trainable_kind = "last";
  if (const auto names = map.find("names")) {
    out.trainable_names = names->texts();
    out.trainable_kind = "names";
    if (out.trainable_names.empty()) names->problem("\"names\" is empty: nothing would be trained");
  }
  map.finish();
}

void read_sample(const Yaml& given, Stage& out) {
  YamlMap map(given, "sample");
  map.read("prompt", out.sample_prompt);
  map.read("tokens", out.sample_tokens, 1, most_tokens);
  if (map.read("temperature", out.sample_temperature, not_negative) && out.sample_temperature > 0 &&
      out.sample_temperature < least_temperature)
    map.key("temperature")
        .problem(fmt::format("a temperature below {} is out of range: 0 takes the likeliest token", least_temperature));
  map.read("top_k", out.sample_top_k, 0);
  map.read("top_p", out.sample_top_p, {.min = 0, .max = 1, .above = true});
  map.read("min_p", out.sample_min_p, {.min = 0, .max = 1});
  map.read("repetition_penalty", out.sample_repetition_penalty,
           {.min = least_repetition_penalty, .max = most_repetition_penalty});
  if (const auto stop = map.find("stop")) {
    out.sample_stop = stop->texts();
    if (std::count(out.sample_stop.begin(), out.sample_stop.end(), ""))
      stop->problem("\"sample.stop\" has an empty text, which ends nothing: leave it out");
  }
  map.read("count", out.sample_count, 0, most_samples);
  map.finish();
}

void read_demands(const Yaml& given, Stage& out) {
  YamlMap map(given, "demand");
  for (const YamlMap::Item& item : map.items()) {
    Demand& demand = out.demands[item.name];
    if (!item.value.is_map()) {
      demand.at_least = item.value.number({});
      continue;
    }
    YamlMap bounds(item.value, "a demand");
    const auto read = [&](const char* key, std::optional<double>& to) {
      if (const auto bound = bounds.find(key)) to = bound->number({});
      return bounds.has(key);
    };
    const bool has_least = read("at_least", demand.at_least), has_most = read("at_most", demand.at_most);
    if (!has_least && !has_most)
      item.value.problem(
          fmt::format("\"{}\" demands nothing: write {{at_most: NUMBER}}, or at_least, or both", item.value.path()));
    if (demand.at_least && demand.at_most && *demand.at_least > *demand.at_most)
      item.value.problem(fmt::format("no number is at least {:g} and at most {:g}", *demand.at_least, *demand.at_most));
    bounds.finish();
  }
}

YAML::Node node_of(const rgm_value& v) {
  const auto text = [](rgm_str s) { return std::string(s.data, s.size); };
  YAML::Node list(YAML::NodeType::Sequence);
  switch (v.type) {
    case RGM_BOOLEAN: return YAML::Node(v.as.i ? "true" : "false");
    case RGM_INTEGER: return YAML::Node(fmt::format("{}", v.as.i));
    case RGM_REAL: return YAML::Node(fmt::format("{}", v.as.f));
    case RGM_TEXT:
    case RGM_CHOICE: return YAML::Node(text(v.as.s));
    case RGM_TEXTS:
      for (uint32_t i = 0; i < v.count; ++i) list.push_back(text(v.as.ss[i]));
      return list;
    default: return YAML::Node();
  }
}

}  // namespace

// What this version works with, said when another is asked for.
const std::vector<std::string>& precisions() {
  static const std::vector<std::string> all = {"float32", "bfloat16"};
  return all;
}

void read_settings(YamlMap& stage, Stage& out) {
  if (const auto given = stage.find("optimizer")) read_optimizer(*given, out.optimizer);
  if (const auto given = stage.find("schedule")) read_schedule(*given, out.schedule);
  read_steps(stage, out);
  stage.read("batch", out.batch, 1, most_rows);
  read_micro_batch(stage, out);
  stage.read("length", out.length, 2, longest_row);  // of one token nothing is predicted
  stage.read("ensemble", out.ensemble, 1, most_members);
  stage.read("clip", out.clip, not_negative);
  read_evaluate(stage, out);
  read_every(stage, "log", out.log_every);
  read_checkpoint(stage, out);
  if (const auto given = stage.find("trainable")) read_trainable(*given, out);
  stage.choose("precision", out.precision, precisions());
  stage.choose("weights", out.weights, weight_types);
  stage.read("recompute", out.recompute);
  if (const auto given = stage.find("sample")) read_sample(*given, out);
  if (const auto given = stage.find("demand")) read_demands(*given, out);
}

void apply_defaults(Reader&, const Yaml& place, Stage& out) {
  if (!out.strategy.component) return;
  const rgm_attr* const defaults = out.strategy.component->table<rgm_strategy>().defaults;
  YAML::Node root(YAML::NodeType::Map);
  bool any = false;
  for (const rgm_attr* a = defaults; a && a->key && *a->key; ++a) {
    YAML::Node at = root;
    const std::string path = a->key;
    for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
      end = path.find('.', begin);
      at.reset(at[path.substr(begin, end == std::string::npos ? end : end - begin)]);
    }
    at = node_of(a->value);
    any = true;
  }
  if (!any) return;
  Problems wrong("");
  YamlMap map(Yaml(root, "", wrong), "a stage");
  read_settings(map, out);
  map.finish();
  // not the user's mistake, but the plug-in cannot work as its author meant
  for (const Problem& p : wrong.list())
    place.problem(
        fmt::format("the defaults of strategy \"{}\" are wrong, update the plug-in: {}", out.strategy.id, p.text));
}

}  // namespace rgm
