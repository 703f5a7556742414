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

// Rows that an earlier stage writes are left out, also those that it has written: it may write others.
Stage without_rows(Stage stage) {
  for (const auto& [source, from] : std::exchange(stage.data_from_stage, {})) stage.data.erase(source);
  return stage;
}

// `file:line:column: ` of the key that a message begins with, or of the data whose file it names; else of the stage.
std::string place_of(const Stage& stage, std::string_view said) {
  for (const std::string& begin : {fmt::format("stage \"{}\": ", stage.name), stage.name + ": "})
    if (said.starts_with(begin)) said.remove_prefix(begin.size());
  auto found = stage.places.find(std::string(said.substr(0, said.find_first_of(" :"))));
  for (const auto& [source, spec] : stage.data)
    for (const fs::path& file : spec.files)
      if (said.starts_with(file.string())) found = stage.places.find("data");
  if (found == stage.places.end()) found = stage.places.find("");
  return found == stage.places.end() ? "" : found->second + ": ";
}

void make_and_destroy(const TrainSetup& setup) {
  void* self = nullptr;
  call_plugin(setup.strategy_name, "create", [&] { return setup.strategy->create(setup.config, &self); });
  setup.strategy->destroy(self);
}

// The first `count` stages, whose models get into `planned`.
std::vector<std::string> open_first(size_t count, const Pipeline& pipeline, Registry& registry, const fs::path& cache,
                                    const Device& real, PlannedModels& planned,
                                    log::Level least = log::Level::nothing) {
  const Quiet quiet({least, log::levels().work});
  const OnDryDevice dry(real);
  const Surroundings around{pipeline, registry, {}, cache, &planned};
  std::vector<std::string> problems;
  std::set<std::string> incomplete;  // stages whose models lack what rows or virtual tokens would have given them
  std::map<std::string, std::set<std::string>> adapters;  // of the model that a stage leaves, as far as stages made it
  for (size_t i = 0; i < count && !interrupted(); ++i) {
    const Stage& given = pipeline.stages[i];
    const bool whole = given.data_from_stage.empty() && !incomplete.contains(given.model.from_stage);
    if (!whole) incomplete.insert(given.name);
    const std::set<std::string> earlier = adapters[given.model.from_stage];
    adapters[given.name] = earlier;
    for (const Choice& choice : given.adapters) {
      if (earlier.contains(choice.id))
        problems.push_back(place_of(given, "adapter") + second_adapter(given, choice.id, given.model.from_stage));
      adapters[given.name].insert(choice.id);
    }
    const Stage stage = without_rows(given);
    const auto is_missing = [&](const std::string& name) { return !planned.contains(name); };
    if (std::ranges::any_of(models_of(stage), is_missing)) continue;
    try {
      OpenedStage opened = open_stage(stage, i, around);
      make_and_destroy(opened.setup);
      planned[stage.name] = opened.model;
      if (opened.model->virtual_tokens() > 0) incomplete.insert(stage.name);  // they leave less of the context
    } catch (const Error& e) {
      if (e.status() != RGM_INVALID || !whole) continue;  // it may be what is not there
      const std::string_view said = e.what();
      const std::string name = fmt::format("stage \"{}\"", stage.name);
      const bool names_it = said.starts_with(name) || said.starts_with(stage.name + ":");
      problems.push_back(place_of(given, said) + (names_it ? e.what() : fmt::format("{}: {}", name, said)));
    }
  }
  return problems;
}

}  // namespace

std::vector<std::string> rehearse(const Pipeline& pipeline, Registry& registry, const fs::path& cache,
                                  const Device& real, log::Level least) {
  PlannedModels planned;
  return open_first(pipeline.stages.size(), pipeline, registry, cache, real, planned, least);
}

PlannedModels models_before(size_t stage, const Pipeline& pipeline, Registry& registry, const fs::path& cache,
                            const Device& real) {
  PlannedModels planned;
  open_first(stage, pipeline, registry, cache, real, planned);
  return planned;
}

}  // namespace rgm
