// model_place.cpp - the folder that a model lies in: given by name, or left by an earlier stage.
#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "pipeline/open_adapter.hpp"
#include "pipeline/open_model.hpp"

namespace rgm {
namespace {

bool is_model(const fs::path& folder) { return fs::exists(folder / "config.json"); }

// Of a run's folder: which of its stages have left a model.
std::vector<std::string> stages_in(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (is_model(entry.path() / "model") || fs::is_directory(entry.path() / "adapter"))
      out.push_back(entry.path().string());
  std::ranges::sort(out);
  return out;
}

// What a stage says of itself; nothing where there is no such record.
std::string status_of(const fs::path& file) {
  if (!fs::exists(file)) return "";
  const auto record = json_or_discarded(read_file(file));
  const auto status = record.is_object() ? record.find("status") : record.end();
  return status != record.end() && status->is_string() ? status->get<std::string>() : "";
}

}  // namespace

ModelPlace model_place(const fs::path& given) {
  if (is_model(given)) return {given, {}};
  if (is_model(given / "model"))
    return {given / "model", fs::is_directory(given / "adapter") ? adapter_folders(given) : std::vector<fs::path>()};
  if (!fs::exists(given)) invalid("{}: there is no such folder; --model takes a stage's folder", given.string());
  // A stage that trained an adapter keeps no copy of the base: the adapter says where that lies.
  if (fs::is_directory(given / "adapter")) {
    ModelPlace place{"", adapter_folders(given)};
    const fs::path file = place.adapters[0] / "adapter_config.json";
    const auto config = parse_json(read_file(file), file.string());
    const std::string base = config.is_object() ? config.value("base_model_name_or_path", "") : "";
    place.model = fs::path(base).is_absolute() ? fs::path(base) : place.adapters[0] / base;
    if (!base.empty() && is_model(place.model)) return place;
    // A run that was moved: its stages still lie side by side.
    const fs::path beside = given.parent_path() / place.model.parent_path().filename() / place.model.filename();
    if (!base.empty() && is_model(beside)) return {beside, place.adapters};
    invalid("{}: the base model \"{}\" is not there; give its folder with --model, and this one with --adapter",
            file.string(), base);
  }
  if (const auto stages = stages_in(given); !stages.empty())
    invalid("{}: has no model, but folders inside it have one: name one of {}", given.string(), join(stages));
  if (fs::exists(given / "rows.jsonl"))
    invalid("{}: has no model: the stage that left this folder trained nothing, and wrote {}", given.string(),
            (given / "rows.jsonl").string());
  if (const std::string status = status_of(given / "stage.json"); !status.empty() && status != "done")
    invalid("{}: has no model yet: its stage is not done ({}); `regimen run` of its pipeline brings it to its end",
            given.string(), status);
  require(
      !fs::exists(given / "adapter_config.json"),
      "{0}: holds an adapter, and no model: a command takes its base with --model and this folder with --adapter; in "
      "a stage, write model: {{from: BASE}} and adapter: {{ID: {{}}, from: {0}}}",
      given.string());
  invalid("{}: has no model: expected config.json in it, or in a model/ inside it", given.string());
}

ModelPlace place_of(const ModelSpec& spec, const Surroundings& around) {
  if (spec.from_stage.empty()) return model_place(spec.from_folder);
  const fs::path folder = around.run / spec.from_stage;
  require(is_model(folder / "model") || fs::is_directory(folder / "adapter"),
          "stage \"{0}\" has left no model in {1}: run it first, with --only {0} or without --only", spec.from_stage,
          folder.string());
  if (is_model(folder / "model")) return model_place(folder);
  // It trained an adapter on a base of its own; what it holds includes the adapters before it.
  for (const Stage& stage : around.pipeline.stages)
    if (stage.name == spec.from_stage) return {place_of(stage.model, around).model, adapter_folders(folder)};
  return model_place(folder);
}

}  // namespace rgm
