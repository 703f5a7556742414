// read_stage.cpp - one stage: its parts in the order they depend on each other, then what must fit together.
#include <algorithm>

#include "base/text.hpp"
#include "pipeline/data_sources.hpp"
#include "pipeline/overrides.hpp"
#include "pipeline/reader.hpp"
#include "plugins/check.hpp"
#include "plugins/options.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {

bool is_good_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

void read_name(Reader& reader, YamlMap& map, size_t index, Stage& out) {
  const auto given = map.find("name");
  if (!given) {
    if (map.lacks("name"))
      map.yaml().problem(fmt::format("stage {} has no \"name\": its results go into a folder of that name", index + 1));
    out.name = fmt::format("stage-{}", index + 1);
    return;
  }
  out.name = given->text().value_or("");
  if (given->is_scalar() && !is_good_name(out.name)) given->wrong("a word of a-z, 0-9, _ and -, at most 64 of them");
  if (out.name == "cache")
    given->problem("\"cache\" is the folder of a run where tokenised text is kept: call the stage something else");
  const auto same = [&](const Stage& s) { return s.name == out.name; };
  if (!out.name.empty() && std::any_of(reader.stages.begin(), reader.stages.end(), same))
    given->problem(fmt::format("there are two stages \"{}\": each needs a name of its own", out.name));
}

// What is only seen when the stage is opened is placed, too.
void keep_places(const Reader& reader, YamlMap& map, Stage& out) {
  const auto place = [&](const Yaml& at) { return reader.citations.place(reader.problems, at.node().Mark()); };
  out.places[""] = place(map.yaml());
  for (const YamlMap::Item& item : map.items()) out.places[item.name] = place(item.key);
}

// A stage that trains nothing has no use for what says how to train.
void refuse_training(YamlMap& map, const Stage& stage) {
  for (const char* key : {"optimizer", "schedule", "clip", "trainable", "evaluate", "keep"})
    if (map.has(key))
      map.key(key).problem(fmt::format("strategy \"{}\" trains nothing: leave \"{}\" out", stage.strategy.id, key));
  if (stage.average > 0 && !map.has("keep"))  // in `checkpoint`, which writing rows has
    map.key("checkpoint")
        .problem(fmt::format("strategy \"{}\" trains nothing: there are no weights to average", stage.strategy.id));
  const auto is_new = [](const Choice& adapter) { return adapter.component != nullptr && !adapter.is_taken(); };
  if (const auto found = std::ranges::find_if(stage.adapters, is_new); found != stage.adapters.end())
    map.key("adapter").problem(
        fmt::format("strategy \"{0}\" trains nothing, and adapter \"{1}\" would stay as it starts: take a trained one, "
                    "as in adapter: {{{1}: {{}}, from: STAGE}}, or leave \"adapter\" out",
                    stage.strategy.id, found->id));
}

// What fits is counted from steps on a device that computes nothing: there the model writes no answers.
void check_micro_batch(YamlMap& map, const Stage& stage) {
  if (stage.micro_batch > stage.batch)
    (map.has("micro_batch") ? map.key("micro_batch") : map.key("batch"))
        .problem(
            fmt::format("\"micro_batch\" is {}, more than the {} rows of \"batch\"", stage.micro_batch, stage.batch));
  if (!stage.micro_batch_auto || !stage.strategy.component) return;
  const auto& strategy = stage.strategy.component->table<rgm_strategy>();
  if (strategy.rollout || !strategy.loss)
    map.key("micro_batch")
        .problem(
            fmt::format("strategy \"{}\" lets the model write, and what its answers take is not known before: give "
                        "\"micro_batch\" a number, or leave it out",
                        stage.strategy.id));
}

// Of a new model it is known now how long its rows can be.
void check_length(YamlMap& map, const Stage& stage) {
  const auto context = stage.model.sizes.find("context");
  if (context == stage.model.sizes.end() || stage.length <= context->second) return;
  map.key("length").problem(
      fmt::format("\"length\" is {}, and the model has a context of {}: write at most {}, or leave it out",
                  stage.length, context->second, context->second));
}

// Texts are sampled only where there is something to continue. None at all needs no prompt.
void check_sample(YamlMap& map, const Stage& stage) {
  const auto given = map.find("sample");
  if (!given || !given->is_map() || !stage.sample_prompt.empty() || stage.sample_count == 0) return;
  YamlMap sample(*given, "sample");
  const auto prompt = sample.find("prompt");
  if (prompt ? prompt->is_scalar() : sample.lacks("prompt"))  // what is no text was said to be wrong
    given->problem("\"sample\" has no prompt to continue: add prompt: \"Once upon a time\"");
}

// Right or wrong: what is wrong with it was said.
bool says_held_out(YamlMap& map, const std::string& source) {
  const auto data = map.find("data");
  return data && data->is_map() && YamlMap(*data, "data").has(source);
}

void check_training(const Reader& reader, YamlMap& map, const Stage& out) {
  const bool length_given = !map.lacks("steps") || !map.lacks("epochs");
  if (out.steps == 0 && out.epochs == 0 && !length_given)
    map.key("name").problem(
        fmt::format("stage \"{}\" does not say how long to train: add steps: 1000, or epochs: 3", out.name));
  const bool validates = says_held_out(map, "validation"), holds_out = validates || says_held_out(map, choices_source);
  check_demands(reader, map, out, validates);
  check_best(map, out);
  if (!holds_out) {
    if (map.has("evaluate"))
      map.key("evaluate").problem("nothing to evaluate on: add data: {validation: {split: 0.1}}, or a file");
    if (out.keep == "best") {
      const Yaml& place = map.has("keep") ? map.key("keep") : map.key("checkpoint");
      place.problem("\"keep: best\" needs held-out data: add data: {validation: {split: 0.1}}, or a file");
    }
  }
  if (out.trainable_kind == "adapter" && out.adapters.empty())
    map.key("trainable").problem("\"trainable: adapter\" needs an adapter: add adapter: ID");
}

// Members read the examples of data side by side: what the model writes has no such copies.
void check_ensemble(YamlMap& map, const Stage& out) {
  if (out.ensemble == 1) return;
  const Yaml& place = map.key("ensemble");
  if (out.adapters.empty())
    place.problem("\"ensemble\" needs an adapter, of which each member has its own: add adapter: ID");
  if (out.strategy.component && (out.strategy.component->table<rgm_strategy>().rollout || !trains(out)))
    place.problem(
        fmt::format("strategy \"{}\" lets the model write, but an ensemble is for adapters that learn from examples: "
                    "leave \"ensemble\" out",
                    out.strategy.id));
  if (!out.sample_prompt.empty())
    map.key("sample").problem("an ensemble cannot continue a prompt as one model: leave \"sample\" out");
}

// What stands in the stage but is an option of one of its plug-ins, under our name or another tool's.
void answer_options(YamlMap& map, const Stage& out) {
  std::vector<const Choice*> choices = {&out.strategy};
  for (const auto* list : {&out.adapters, &out.rewards})
    for (const Choice& choice : *list) choices.push_back(&choice);
  for (const Choice* choice : choices) {
    if (!choice->component) continue;
    std::vector<std::string> known;
    for (const rgm_option& o : options_of(*choice->component->data)) known.emplace_back(o.key);
    for (YamlMap::Item& item : map.items()) {
      if (item.asked) continue;
      const bool is_ours = std::ranges::count(known, item.name) > 0;
      const std::string here(is_ours ? item.name : name_here(item.name, known));
      if (here.empty()) continue;
      item.asked = true;
      item.key.problem(
          fmt::format("unknown key \"{0}\" in a stage: it is an option of the {1}: {1}: {{{2}: {{{3}: …}}}}", item.name,
                      kind_name(choice->component->data->kind), choice->id, here));
    }
  }
}

// Nothing where the strategy says nothing. That it cannot be made is told, unless its options were wrong anyway.
std::optional<rgm_strategy_plan> plan_of(YamlMap& map, const Choice& strategy, bool is_right) {
  if (!strategy.component || !strategy.config) return std::nullopt;
  const auto& table = strategy.component->table<rgm_strategy>();
  if (!RGM_HAS(&table, plan)) return std::nullopt;
  rgm_strategy_plan plan{};
  plan.struct_size = sizeof plan;
  const std::string name = plugin_name("strategy", strategy.id, strategy.component->path);
  try {
    void* self = nullptr;
    call_plugin(name, "create", [&] { return table.create(strategy.config.get(), &self); });
    const std::unique_ptr<void, void (*)(void*)> made(self, table.destroy);
    call_plugin(name, "plan", [&] { return table.plan(self, &plan); });
  } catch (const Error& e) {
    if (is_right) map.key("strategy").problem(e.what());
    return std::nullopt;
  }
  return plan;
}

// A source that the strategy would read with other options, or one that it lacks with these.
void check_other_sources(YamlMap& map, const Stage& out, uint32_t needs) {
  const auto data = map.find("data");
  if (!data || !data->is_map()) return;
  YamlMap given(*data, "data");
  for (const rgm_column* const* c = out.strategy.component->table<rgm_strategy>().columns; *c; ++c) {
    const std::string column = (*c)->name, source = column.substr(0, column.find('.'));
    if (source == column) continue;
    const bool is_given = given.has(source);
    if (is_given && needs & RGM_READS_ONE_SOURCE)
      given.key(source).problem(
          fmt::format("strategy \"{0}\" does not read \"{1}\" with the options given here: set the one that uses it "
                      "(`regimen plugins {0}` lists them), or leave \"{1}\" out",
                      out.strategy.id, source));
    else if (!is_given && needs & RGM_NEEDS_ALL_SOURCES)
      map.key("data").problem(
          fmt::format("strategy \"{0}\" reads \"{1}\" with the options given here, but there is none: add {1}: "
                      "{{FORMAT: FILE}}, or leave out the option that uses it (`regimen plugins {0}` lists them)",
                      out.strategy.id, source));
    else
      continue;
    return;
  }
}

// Scores come from rewards that have learned; one that learns does so by itself, in a stage that trains it.
void check_rewards(YamlMap& map, const Stage& out, bool trains_it) {
  const auto& strategy = out.strategy.component->table<rgm_strategy>();
  const auto is_known = [](const Choice& r) { return r.component != nullptr || r.is_head; };
  const auto learns = [](const Choice& r) { return !r.is_taken() && r.component->table<rgm_reward>().loss; };
  if (out.rewards.empty() || !std::ranges::all_of(out.rewards, is_known)) return;
  const auto untrained = std::ranges::find_if(out.rewards, learns);
  if (strategy.rollout && !trains_it && untrained != out.rewards.end())
    map.key("reward").problem(
        fmt::format("reward \"{}\" has to learn before it scores answers: train it in an earlier stage, and take it "
                    "from there with reward: {{from: STAGE}}",
                    untrained->id));
  if (trains_it && (untrained == out.rewards.end() || (!strategy.rollout && out.rewards.size() > 1)))
    map.key("reward").problem(
        fmt::format("strategy \"{}\" trains a reward: name one plug-in that learns, and no other reward; to train a "
                    "learned one further, also take its model, with model: {{from: STAGE}}",
                    out.strategy.id));
}

// What would else be told after earlier stages have trained.
void check_plan(const Reader& reader, YamlMap& map, Stage& out, bool strategy_is_right) {
  const auto plan = plan_of(map, out.strategy, strategy_is_right);
  if (out.strategy.component && (plan || !out.strategy.component->table<rgm_strategy>().plan))
    check_unused_reward(reader, map, out, plan ? plan->needs : 0);
  if (!plan) return;
  if (plan->needs & RGM_NEEDS_REWARD) {
    const bool counts = std::ranges::any_of(out.rewards, [](const Choice& r) { return r.weight != 0; });
    if (map.lacks("reward"))
      map.key("strategy")
          .problem(fmt::format(
              "strategy \"{}\" asks for scores, but the stage has no reward: add reward: ID or reward: {{from: STAGE}}",
              out.strategy.id));
    else if (!out.rewards.empty() && !counts)
      map.key("reward").problem(
          fmt::format("strategy \"{}\" asks for scores, but all rewards have the weight 0: give one another weight",
                      out.strategy.id));
    else
      check_rewards(map, out, plan->needs & RGM_TRAINS_REWARD);
  }
  check_other_sources(map, out, plan->needs);
  const int64_t updates = int64_t{plan->epochs} * plan->steps, units = plan->units * out.batch;
  if (updates > 0) out.rollout_steps = updates;
  out.answer_tokens = plan->answer_tokens;
  out.annotates = !(plan->needs & RGM_WITHOUT_ANNOTATIONS);
  out.follows_policy = plan->needs & RGM_FOLLOWS_POLICY;
  if (out.follows_policy) check_followers(reader, map, out);
  if (units > 0 && plan->steps > units)
    map.key("strategy")
        .problem(fmt::format(
            "a rollout of {} examples cannot be split into {} steps: ask for fewer minibatches, or for a larger batch",
            units, plan->steps));
}

}  // namespace

Stage read_stage(Reader& reader, const Yaml& yaml, size_t index) {
  Stage out;
  YamlMap map(yaml, "a stage");
  if (!yaml.is_map()) return out;
  read_name(reader, map, index, out);
  const size_t problems_before = reader.problems.size();
  if (const auto given = map.find("strategy"))
    out.strategy = read_choice(reader, *given, RGM_KIND_STRATEGY);
  else if (map.lacks("strategy"))
    yaml.problem(fmt::format("stage \"{}\" has no \"strategy\", which says what it does: add strategy: ID", out.name));
  const bool strategy_is_right = reader.problems.size() == problems_before;
  out.adapters = read_adapters(reader, map);
  out.rewards = read_rewards(reader, map);
  if (!out.adapters.empty()) out.trainable_kind = "adapter";
  apply_defaults(reader, map.key("strategy"), out);
  read_settings(map, out);
  read_model(reader, map, out);
  read_roles(reader, map, out);
  read_data(reader, map, out);

  check_micro_batch(map, out);
  check_length(map, out);
  check_sample(map, out);
  check_ensemble(map, out);
  check_plan(reader, map, out, strategy_is_right);
  if (out.strategy.component) {
    if (trains(out))
      check_training(reader, map, out);
    else
      refuse_training(map, out);
    if (!trains(out) && out.steps == 0 && out.epochs == 0) out.epochs = 1;  // every row of the data once
  }
  answer_options(map, out);
  map.finish();
  keep_places(reader, map, out);
  out.effective = effective(out);
  return out;
}

}  // namespace rgm
