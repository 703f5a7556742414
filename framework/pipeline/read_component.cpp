// read_component.cpp - plug-ins in a pipeline: `id` or `{id: {options}}`, one or a list, rewards with their weights.
#include <algorithm>

#include "artefact/safetensors.hpp"
#include "pipeline/reader.hpp"
#include "pipeline/reward_head.hpp"
#include "plugins/options.hpp"

namespace rgm {
namespace {

Choice choose(Reader& reader, const Named& named, int kind) {
  Choice choice;
  choice.id = named.id;
  try {
    choice.component = &reader.find(kind, named.id);
  } catch (const Error& e) {
    const bool is_stage = kind == RGM_KIND_REWARD && std::ranges::count(reader.stages, named.id, &Stage::name) > 0;
    named.place.problem(
        e.what() + (is_stage ? fmt::format("; to take the stage of that name, write {{from: {}}}", named.id) : ""));
    return choice;
  }
  const PathFinder find = [&](const std::string& name) { return find_file(reader.file, name).string(); };
  choice.config = read_options(*choice.component->data, named.options.node(), reader.problems, find);
  return choice;
}

// Options as they were written; those that were unset stay so.
YAML::Node given_options(const std::string& json) {
  YAML::Node all = YAML::Load(json), given(YAML::NodeType::Map);
  for (const auto& option : all)
    if (!option.second.IsNull()) given[option.first] = option.second;
  return given;
}

// A number of the head of a model that is taken; what is wrong with the label stands at `label`.
void take_head(const std::optional<OwnHead>& head, const Yaml& label, Choice& reward) {
  reward.is_head = true;
  if (!head) return;  // opening the model will tell
  if (const std::string wrong = wrong_label(*head, reward.label); !wrong.empty()) label.problem(wrong);
}

// The reward that an earlier stage learned, unless a label is asked for; else the head of the stage's model.
void take_from_stage(Reader& reader, const Yaml& place, const Yaml& label, Choice& reward) {
  for (const Stage& stage : reader.stages) {
    if (stage.name != reward.from_stage) continue;
    if (stage.strategy.component && !trains(stage)) return;  // which has been said
    if (stage.ensemble > 1)
      return place.problem(fmt::format(
          "stage \"{}\" leaves an ensemble, whose members answer each on its own: no one model scores", stage.name));
    std::string learns_one;
    for (const Choice& learned : stage.rewards)
      if (learned.component && learned.component->table<rgm_reward>().loss) {
        learns_one = learned.id;
        if (reward.label) break;
        reward.id = learned.id;
        reward.component = learned.component;
        reward.config = learned.config;
        return;
      }
    const auto head = own_head(reader, stage.model);
    if (!head || head->outputs > 0) return take_head(head, label, reward);
    if (!learns_one.empty())
      label.problem(fmt::format("stage \"{}\" learns the reward \"{}\", which has no labels: leave \"label\" out",
                                stage.name, learns_one));
    else
      place.problem(fmt::format(
          "stage \"{}\" learns no reward: name the reward that it should learn there, or give its model a head that "
          "scores, as in head: {{classify: {{labels: [negative, positive]}}}}",
          stage.name));
  }
}

// The reward that a saved model carries: the one that its parameters are filed under, with the options it learned with.
bool take_learned(Reader& reader, const fs::path& file, Choice& reward) {
  constexpr std::string_view prefix = "reward.";
  if (!fs::exists(file)) return false;
  const SafeTensors heads(file);
  for (const SavedTensor& t : heads.tensors())
    if (t.name.starts_with(prefix)) {
      reward.id = t.name.substr(prefix.size(), t.name.find('.', prefix.size()) - prefix.size());
      reward.component = &reader.find(RGM_KIND_REWARD, reward.id);
      const auto options = heads.metadata().find(std::string(prefix) + reward.id);
      reward.config = read_options(*reward.component->data,
                                   options == heads.metadata().end() ? YAML::Node() : given_options(options->second),
                                   reader.problems);
      return true;
    }
  return false;
}

// A learned reward where there is one, unless a label is asked for; else the head of the model.
void take_from_folder(Reader& reader, const Yaml& place, const Yaml& label, Choice& reward) {
  const fs::path inside = reward.from_folder / "model" / "heads.safetensors";
  const fs::path file = fs::exists(inside) ? inside : reward.from_folder / "heads.safetensors";
  try {
    if (!reward.label && take_learned(reader, file, reward)) return;
    const OwnHead head = own_head(reward.from_folder);
    if (head.outputs > 0) return take_head(head, label, reward);
    place.problem(
        fmt::format("no reward was learned there: {} has no \"reward.\" parameters, and the model has no head of its "
                    "own, as a \"…ForSequenceClassification\" of transformers has one",
                    file.string()));
  } catch (const std::exception& e) {  // of the file system too
    place.problem(fmt::format("no reward can be taken from there: {}", e.what()));
  }
}

Choice read_reward(Reader& reader, const Yaml& yaml) {
  if (!yaml.is_map()) return read_choice(reader, yaml, RGM_KIND_REWARD);
  YamlMap map(yaml, "a reward");
  double weight = 1;
  map.read("weight", weight);
  Choice reward;
  if (const auto from = map.find("from")) {
    const auto [stage, folder] = read_from(reader, *from, Wanted::reward);
    reward.from_stage = stage;
    reward.from_folder = folder;
    std::string label;
    if (map.read("label", label)) reward.label = label;
    bool end_of_text = false;
    if (map.read("end_of_text", end_of_text)) reward.end_of_text = end_of_text;
    const Yaml& place = reward.label ? map.key("label") : *from;
    if (!folder.empty())
      take_from_folder(reader, *from, place, reward);
    else
      take_from_stage(reader, *from, place, reward);
    if (reward.component && reward.end_of_text)
      map.key("end_of_text")
          .problem(fmt::format("\"end_of_text\" is of a model with a head of its own, and reward \"{}\" was learned "
                               "from answers as they end: leave it out",
                               reward.id));
    map.finish();
  } else {
    std::vector<Named> named;
    for (const YamlMap::Item& item : map.items())
      if (item.name != "weight") named.push_back({item.name, item.key, item.value});
    if (named.size() == 1)
      reward = choose(reader, named[0], RGM_KIND_REWARD);
    else
      yaml.wrong("one reward, as {id: {options}, weight: 1}, or several as a list");
  }
  reward.weight = weight;
  return reward;
}

}  // namespace

Choice read_choice(Reader& reader, const Yaml& yaml, int kind) {
  const auto named = read_named(yaml, kind_name(kind));
  return named ? choose(reader, *named, kind) : Choice();
}

// An adapter may start with the values of another one of its kind.
Choice read_adapter(Reader& reader, const Yaml& yaml) {
  if (!yaml.is_map() || !yaml.node()["from"]) return read_choice(reader, yaml, RGM_KIND_ADAPTER);
  YamlMap map(yaml, "an adapter");
  const From from = read_from(reader, *map.find("from"), Wanted::model);
  Choice adapter;
  std::vector<Named> named;
  for (const YamlMap::Item& item : map.items())
    if (item.name != "from") named.push_back({item.name, item.key, item.value});
  if (named.size() == 1)
    adapter = choose(reader, named[0], RGM_KIND_ADAPTER);
  else
    yaml.wrong("one adapter and what it starts as, as {id: {options}, from: STAGE}");
  adapter.from_stage = from.stage;
  adapter.from_folder = from.folder;
  return adapter;
}

std::vector<Choice> read_adapters(Reader& reader, YamlMap& stage) {
  std::vector<Choice> all;
  if (const auto given = stage.find("adapter"))
    for (const Yaml& one : given->one_or_list()) all.push_back(read_adapter(reader, one));
  return all;
}

std::vector<Choice> read_rewards(Reader& reader, YamlMap& stage) {
  std::vector<Choice> all;
  if (const auto given = stage.find("reward"))
    for (const Yaml& one : given->one_or_list()) all.push_back(read_reward(reader, one));
  return all;
}

nlohmann::json to_json(const Choice& choice) {
  nlohmann::json out = nlohmann::json::object();
  if (!choice.from_stage.empty())
    out["from"] = choice.from_stage;
  else if (!choice.from_folder.empty())
    out["from"] = choice.from_folder.string();
  if (choice.label) out["label"] = *choice.label;
  if (choice.end_of_text) out["end_of_text"] = *choice.end_of_text;
  if (out.empty() || (choice.component && choice.component->data->kind == RGM_KIND_ADAPTER))
    out[choice.id] = choice.config ? nlohmann::json(to_json(*choice.config)) : nlohmann::json::object();
  return out;
}

}  // namespace rgm
