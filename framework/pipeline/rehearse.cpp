// rehearse.cpp - opening without computing.
#include "pipeline/rehearse.hpp"

#include <algorithm>
#include <set>

#include "base/interrupt.hpp"
#include "pipeline/aside.hpp"
#include "pipeline/open_stage.hpp"
#include "tensor/dry_device.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {

class OnDryDevice {
 public:
  explicit OnDryDevice(const Device& real) : before_(set_current_device(make_dry_device(real))) {}
  ~OnDryDevice() { set_current_device(before_); }
  OnDryDevice(const OnDryDevice&) = delete;
  OnDryDevice& operator=(const OnDryDevice&) = delete;

 private:
  std::shared_ptr<Device> before_;
};

// Stages whose models it reads.
std::vector<std::string> models_of(const Stage& stage) {
  std::vector<std::string> out = {stage.model.from_stage};
  for (const auto& [name, role] : stage.roles) out.push_back(role.from_stage);
  for (const Choice& reward : stage.rewards) out.push_back(reward.from_stage);
  std::erase(out, "");
  return out;
}

bool is_of_a_stage(const std::pair<const std::string, DataSpec>& source) {
  return std::ranges::any_of(parts_of(source.second), [](const DataSpec& part) { return !part.from_stage.empty(); });
}

// Rows that an earlier stage writes are left out, also those that it has written: it may write others.
Stage without_rows(Stage stage) {
  std::erase_if(stage.data, is_of_a_stage);
  return stage;
}

// `file:line:column: ` of the key that a message begins with, or of the data whose file it names; else of the stage.
std::string place_of(const Stage& stage, std::string_view said) {
  for (const std::string& begin : {fmt::format("stage \"{}\": ", stage.name), stage.name + ": "})
    if (said.starts_with(begin)) said.remove_prefix(begin.size());
  auto found = stage.places.find(std::string(said.substr(0, said.find_first_of(" :"))));
  for (const auto& [source, spec] : stage.data)
    for (const fs::path& file : all_files(spec))
      if (said.starts_with(file.string())) found = stage.places.find("data");
  if (found == stage.places.end()) found = stage.places.find("");
  return found == stage.places.end() ? "" : found->second + ": ";
}

// With its options alone, whatever of the stage is not there yet.
void make_and_destroy(const Choice& strategy) {
  const auto& table = strategy.component->table<rgm_strategy>();
  void* self = nullptr;
  call_plugin(plugin_name("strategy", strategy.id, strategy.component->path), "create",
              [&] { return table.create(strategy.config.get(), &self); });
  table.destroy(self);
}

// What a plug-in says no to. `whole`: nothing is missing that it could have missed.
bool is_a_no(const PluginError& e, bool whole, const Rehearsal& rehearsal) {
  if (e.status() == RGM_CANCELLED || e.status() == RGM_NO_MEMORY) return false;
  if (e.function() == "create") return true;
  return whole && !rehearsal.was_asked_for_values() && (is_beginning(e.function()) || e.status() == RGM_INVALID);
}

// The first `count` stages, whose models get into `planned`. Who only wants these needs nothing prepared.
std::vector<std::string> open_first(size_t count, const Pipeline& pipeline, Registry& registry, const fs::path& cache,
                                    const Device& real, PlannedModels& planned, bool prepares,
                                    log::Level least = log::Level::nothing) {
  const Quiet quiet({least, log::levels().work});
  const OnDryDevice dry(real);
  const Surroundings around{pipeline, registry, {}, cache, &planned};
  std::vector<std::string> problems;
  std::set<std::string> incomplete;  // stages whose models lack what rows or virtual tokens would have given them
  std::map<std::string, std::set<std::string>> adapters;  // of the model that a stage leaves, as far as stages made it
  for (size_t i = 0; i < count && !interrupted(); ++i) {
    const Stage& given = pipeline.stages[i];
    const bool whole = std::ranges::none_of(given.data, is_of_a_stage) && !incomplete.contains(given.model.from_stage);
    if (!whole) incomplete.insert(given.name);
    const std::set<std::string> earlier =
        given.model.merged ? std::set<std::string>() : adapters[given.model.from_stage];
    adapters[given.name] = earlier;
    for (const Choice& choice : given.adapters) {
      if (earlier.contains(choice.id))
        problems.push_back(place_of(given, "adapter") + second_adapter(given, choice.id, given.model.from_stage));
      adapters[given.name].insert(choice.id);
    }
    const Stage stage = without_rows(given);
    const auto is_missing = [&](const std::string& name) { return !planned.contains(name); };
    const auto tell = [&](std::string_view said) {
      const std::string name = fmt::format("stage \"{}\"", stage.name);
      const bool names_it = said.starts_with(name) || said.starts_with(stage.name + ":");
      problems.push_back(place_of(given, said) + (names_it ? std::string(said) : fmt::format("{}: {}", name, said)));
    };
    Rehearsal rehearsal;
    try {
      make_and_destroy(stage.strategy);
      if (std::ranges::any_of(models_of(stage), is_missing)) continue;
      OpenedStage opened = open_stage(stage, i, around);
      planned[stage.name] = opened.model;
      if (opened.model->virtual_tokens() > 0) incomplete.insert(stage.name);  // they leave less of the context
      if (!prepares || !whole) continue;
      rehearsal.refuse_values();
      prepare_only(opened.setup);
    } catch (const PluginError& e) {
      if (is_a_no(e, whole, rehearsal)) tell(e.what());
    } catch (const Error& e) {
      if (e.status() == RGM_INVALID && whole) tell(e.what());  // else it may be what is not there
    }
  }
  return problems;
}

}  // namespace

std::vector<std::string> rehearse(const Pipeline& pipeline, Registry& registry, const fs::path& cache,
                                  const Device& real, log::Level least) {
  PlannedModels planned;
  return open_first(pipeline.stages.size(), pipeline, registry, cache, real, planned, /*prepares=*/true, least);
}

PlannedModels models_before(size_t stage, const Pipeline& pipeline, Registry& registry, const fs::path& cache,
                            const Device& real) {
  PlannedModels planned;
  open_first(stage, pipeline, registry, cache, real, planned, /*prepares=*/false);
  return planned;
}

}  // namespace rgm
