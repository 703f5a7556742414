// inputs.cpp - hashes of data, weights and plug-ins of a stage.
#include "pipeline/inputs.hpp"

#include <algorithm>
#include <set>

#include "base/json.hpp"
#include "base/sha256.hpp"
#include "data/content_hash.hpp"
#include "host/host.hpp"
#include "pipeline/device.hpp"
#include "pipeline/open_adapter.hpp"
#include "pipeline/open_stage.hpp"
#include "plugins/options.hpp"

namespace rgm {
namespace {

// The weights that opening the folder reads: one file, or an index and those that it names.
std::vector<fs::path> weights_of(const fs::path& folder) {
  const fs::path whole = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
  if (fs::exists(whole)) return {whole};
  if (!fs::exists(index)) return {};
  std::set<fs::path> named;
  const auto json = json_or_discarded(read_file(index));
  if (json.is_object() && json.contains("weight_map"))
    for (const auto& [tensor, file] : json["weight_map"].items())
      if (file.is_string()) named.insert(folder / file.get<std::string>());
  std::vector<fs::path> out{index};
  out.insert(out.end(), named.begin(), named.end());
  return out;
}

// What is read where a folder is opened as a tokenizer, a model or an adapter.
std::vector<fs::path> tokenizer_of(const fs::path& folder) {
  if (fs::is_regular_file(folder)) return {folder};  // a tokenizer.json by its own name
  const bool is_older = !fs::exists(folder / "tokenizer.json");
  return {folder / (is_older ? "tokenizer.model" : "tokenizer.json"), folder / "tokenizer_config.json",
          folder / chat_template_file};
}
std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> out = {folder / "config.json"};
  const auto add = [&](const std::vector<fs::path>& files) { out.insert(out.end(), files.begin(), files.end()); };
  add(weights_of(folder));
  add({folder / "heads.safetensors"});
  add(tokenizer_of(folder));
  add({folder / "adapter_config.json", folder / "adapter_model.safetensors"});
  return out;
}

std::string hash_files(std::vector<fs::path> files, const fs::path& cache) {
  // One that is missing and wanted is told when the folder is opened.
  std::erase_if(files, [](const fs::path& file) { return !fs::is_regular_file(file); });
  return content_hash(files, cache);
}
std::string hash_folder(const fs::path& folder, const fs::path& cache) { return hash_files(files_of(folder), cache); }

// The model under `name`, the plug-ins of its adapters under names of their own.
void hash_model(const ModelSpec& spec, const std::string& name, const Surroundings& around,
                nlohmann::ordered_json& out) {
  const ModelPlace place = place_of(spec, around);
  std::string all = hash_folder(place.model, around.cache);
  for (const fs::path& adapter : place.adapters) {
    all += hash_folder(adapter, around.cache);
    const Component& plugin = saved_adapter_plugin(adapter, around.registry);
    out[fmt::format("plugin.{}.{}", name, plugin.data->id)] = plugin.sha256;
  }
  out[name] = place.adapters.empty() ? all : sha256(all);
}

// The files that options name, by their keys.
std::map<std::string, std::string> option_files(const Choice& choice) {
  std::map<std::string, std::string> out;
  if (!choice.config || !choice.component) return out;
  for (const rgm_option* const* o = choice.component->data->options; *o; ++o) {
    const auto found = choice.config->values.find((*o)->key);
    if (!((*o)->flags & RGM_PATH) || found == choice.config->values.end()) continue;
    if (fs::is_regular_file(found->second.text)) out.emplace((*o)->key, found->second.text);
  }
  return out;
}

// They are read by the plug-in, so their content counts.
void hash_option_files(const Choice& choice, const std::string& name, const fs::path& cache,
                       nlohmann::ordered_json& out) {
  for (const auto& [key, text] : option_files(choice)) {
    const fs::path file = text;
    out[fmt::format("file.{}.{}", name, key)] = content_hash(std::span(&file, 1), cache);
  }
}

// Which the pipeline names for conversations, by `source.column`, or `source.1.column` in the second part of a mixture.
std::map<std::string, fs::path> template_files(const Stage& stage) {
  std::map<std::string, fs::path> out;
  for (const auto& [source, data] : stage.data)
    for (size_t i = 0; i < parts_of(data).size(); ++i)
      for (const ColumnMap& c : parts_of(data)[i].columns)
        if (c.chat && !c.chat->template_file.empty())
          out[data.parts.empty() ? fmt::format("{}.{}", source, c.column)
                                 : fmt::format("{}.{}.{}", source, i, c.column)] = c.chat->template_file;
  return out;
}

void replace_texts(nlohmann::json& in, const std::set<std::string>& texts) {
  if (in.is_structured())
    for (nlohmann::json& part : in) replace_texts(part, texts);
  else if (in.is_string() && texts.contains(in.get_ref<const std::string&>()))
    in = true;
}

// With how many threads, above all; a backend that was not named has its defaults.
nlohmann::json backend_options(const Surroundings& around, const Device& device) {
  const Choice choice =
      around.pipeline.backend ? *around.pipeline.backend : choose_backend(device.id(), around.registry);
  return choice.config ? nlohmann::json(to_json(*choice.config)) : nlohmann::json();
}

// Without what is only watched while a stage trains: another line of it is no reason to begin anew.
nlohmann::json without_watching(nlohmann::json effective) {
  for (const char* key : {"log", "sample"}) effective.erase(key);
  if (effective.contains("checkpoint"))
    for (const char* key : {"every", "minutes"}) effective["checkpoint"].erase(key);
  return effective;
}

// Where files lie does not change what comes out, nor does what is demanded of it.
nlohmann::json without_places(const Stage& stage) {
  nlohmann::json effective = stage.effective;
  effective.erase("demand");
  if (effective.contains("data"))
    for (auto& [name, source] : effective["data"].items()) {
      const auto parts = parts_of(stage.data.at(name));
      for (size_t i = 0; i < parts.size(); ++i) {
        nlohmann::json& part = source.is_array() ? source[i] : source;
        if (part.contains(parts[i].format)) part[parts[i].format] = part[parts[i].format].size();
      }
    }
  if (effective.contains("model") && !stage.model.from_folder.empty()) effective["model"]["from"] = true;
  std::set<std::string> places;
  for (const auto& [column, file] : template_files(stage)) places.insert(file.string());
  const auto add = [&](const Choice& choice) {
    for (const auto& [key, file] : option_files(choice)) places.insert(file);
    places.insert(choice.from_folder.string());
  };
  add(stage.strategy);
  std::ranges::for_each(stage.adapters, add);
  std::ranges::for_each(stage.rewards, add);
  for (const auto& [name, role] : stage.roles) places.insert(role.from_folder.string());
  places.erase("");
  replace_texts(effective, places);
  return effective;
}

// The bits depend on all of these.
nlohmann::json all_inputs(const Stage& stage, size_t index, const Surroundings& around, const Device& device,
                          const nlohmann::ordered_json& hashes, uint32_t threads) {
  return {{"configuration", without_places(stage)},
          {"hashes", nlohmann::json(hashes)},
          {"seed", around.pipeline.seed},
          {"stage", index},
          {"host", host_table()->version},
          {"backend", device.id()},
          {"backend_options", backend_options(around, device)},
          {"arch", device.info().arch ? device.info().arch : ""},
          {"threads", threads}};
}

bool is_taken(const ModelSpec& spec) { return !spec.from_stage.empty() || !spec.from_folder.empty(); }

}  // namespace

nlohmann::ordered_json hash_inputs(const Stage& stage, size_t index, const Surroundings& around, const Device& device,
                                   uint32_t threads) {
  nlohmann::ordered_json out;
  const auto plugin = [&](const Choice& choice, const std::string& name = "") {
    if (!choice.component) return;
    out["plugin." + choice.id] = choice.component->sha256;
    hash_option_files(choice, name.empty() ? choice.id : name, around.cache, out);
  };
  for (const auto& [name, ignored] : stage.data)
    out["data." + name] = content_hash(all_files(data_of(stage, name, around.run)), around.cache);
  for (const auto& [column, file] : template_files(stage))
    out["template." + column] = content_hash(std::span(&file, 1), around.cache);
  if (is_taken(stage.model)) hash_model(stage.model, "model", around, out);
  if (!stage.tokenizer.from.empty()) out["tokenizer"] = hash_files(tokenizer_of(stage.tokenizer.from), {});
  for (const auto& [role, spec] : stage.roles) hash_model(spec, role, around, out);
  for (size_t i = 0; i < stage.rewards.size(); ++i) {
    ModelSpec from;
    from.from_stage = stage.rewards[i].from_stage;
    from.from_folder = stage.rewards[i].from_folder;
    if (is_taken(from)) hash_model(from, fmt::format("reward.{}", i), around, out);
    plugin(stage.rewards[i], fmt::format("{}.{}", i, stage.rewards[i].id));
  }
  plugin(stage.strategy);
  for (const Choice& adapter : stage.adapters) {
    plugin(adapter);
    if (!starts_as_another(adapter)) continue;
    std::string start;
    for (const fs::path& folder : adapter_folders(start_of(adapter, around.run)))
      start += hash_folder(folder, around.cache);
    out[fmt::format("start.{}", adapter.id)] = sha256(start);
  }
  out["plugin." + device.id()] = around.registry.find(RGM_KIND_BACKEND, device.id()).sha256;

  out["inputs"] = sha256(all_inputs(stage, index, around, device, out, threads).dump());
  out["training"] = sha256(training_inputs(stage, index, around, device, out, threads).dump());
  out["configuration"] = configuration_hash(stage);
  out["seed"] = sha256(std::to_string(around.pipeline.seed));
  return out;
}

nlohmann::json training_inputs(const Stage& stage, size_t index, const Surroundings& around, const Device& device,
                               nlohmann::ordered_json hashes, uint32_t threads) {
  for (const char* key : {"inputs", "training", "configuration", "seed"}) hashes.erase(key);
  nlohmann::json all = all_inputs(stage, index, around, device, hashes, threads);
  all["configuration"] = without_watching(all["configuration"]);
  all["configuration"].erase("recompute");  // has the same bits
  return all;
}

uint32_t threads_counted(const nlohmann::ordered_json& record, const Surroundings& around, const Device& device) {
  const uint32_t here = device.info().threads;
  const auto before = record.value("made_with", nlohmann::ordered_json());
  const auto number = [&](const char* key) {
    return before.is_object() && before.contains(key) && before[key].is_number_unsigned() ? before[key].get<uint32_t>()
                                                                                          : 0;
  };
  const bool is_shared_anew = number("processes") != static_cast<uint32_t>(around.processes->size());
  return number("counted_threads") > 0 && (is_shared_anew || number("threads") == here) ? number("counted_threads")
                                                                                        : here;
}

nlohmann::ordered_json made_with(const Surroundings& around, const Device& device, uint32_t counted) {
  return {{"processes", static_cast<uint32_t>(around.processes->size())},
          {"threads", device.info().threads},
          {"counted_threads", counted}};
}

std::string configuration_hash(const Stage& stage) { return sha256(without_watching(without_places(stage)).dump()); }

}  // namespace rgm
