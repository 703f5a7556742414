// inputs.cpp - hashes of data, weights and plug-ins of a stage.
#include "pipeline/inputs.hpp"

#include "base/sha256.hpp"
#include "data/content_hash.hpp"
#include "pipeline/open_adapter.hpp"
#include "pipeline/open_stage.hpp"

namespace rgm {
namespace {

std::string hash_folder(const fs::path& folder, const fs::path& cache) {
  std::vector<fs::path> files;
  for (const char* name : {"config.json", "model.safetensors", "heads.safetensors", "tokenizer.json",
                           "adapter_config.json", "adapter_model.safetensors"})
    if (fs::exists(folder / name)) files.push_back(folder / name);
  return content_hash(files, cache);
}

std::string hash_model(const ModelSpec& spec, const Surroundings& around) {
  const ModelPlace place = place_of(spec, around);
  std::string all = hash_folder(place.model, around.cache);
  if (place.adapters.empty()) return all;
  for (const fs::path& adapter : place.adapters) all += hash_folder(adapter, around.cache);
  return sha256(all);
}

// Where files lie does not change what comes out.
nlohmann::json without_places(nlohmann::json effective, const Stage& stage) {
  if (effective.contains("data"))
    for (auto& [name, source] : effective["data"].items())
      if (const std::string& format = stage.data.at(name).format; source.contains(format))
        source[format] = source[format].size();
  if (effective.contains("model") && !stage.model.from_folder.empty()) effective["model"]["from"] = true;
  return effective;
}

bool is_taken(const ModelSpec& spec) { return !spec.from_stage.empty() || !spec.from_folder.empty(); }

}  // namespace

nlohmann::ordered_json hash_inputs(const Stage& stage, size_t index, const Surroundings& around, const Device& device) {
  nlohmann::ordered_json out;
  const auto plugin = [&](const Choice& choice) {
    if (choice.component) out["plugin." + choice.id] = choice.component->sha256;
  };
  for (const auto& [name, ignored] : stage.data)
    out["data." + name] = content_hash(data_of(stage, name, around.run).files, around.cache);
  if (is_taken(stage.model)) out["model"] = hash_model(stage.model, around);
  if (!stage.tokenizer.from.empty()) out["tokenizer"] = hash_folder(stage.tokenizer.from, {});
  for (const auto& [role, spec] : stage.roles) out[role] = hash_model(spec, around);
  for (size_t i = 0; i < stage.rewards.size(); ++i) {
    ModelSpec from;
    from.from_stage = stage.rewards[i].from_stage;
    from.from_folder = stage.rewards[i].from_folder;
    if (is_taken(from)) out[fmt::format("reward.{}", i)] = hash_model(from, around);
    plugin(stage.rewards[i]);
  }
  plugin(stage.strategy);
  for (const Choice& adapter : stage.adapters) plugin(adapter);
  out["plugin." + device.id()] = around.registry.find(RGM_KIND_BACKEND, device.id()).sha256;

  const nlohmann::json all = {{"configuration", without_places(stage.effective, stage)},
                              {"hashes", nlohmann::json(out)},
                              {"seed", around.pipeline.seed},
                              {"stage", index},
                              {"backend", device.id()},
                              {"threads", device.info().threads}};
  out["inputs"] = sha256(all.dump());
  return out;
}

}  // namespace rgm
