// adapter_save.cpp - adapters to PEFT's layout: adapter_config.json, which tells what they are, and
// adapter_model.safetensors.
#include <set>

#include "host/adapter_instance.hpp"
#include "model/outgoing.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {

std::string write_tensors(const fs::path& path, const std::map<std::string, Tensor>& file) {
  std::vector<OutgoingTensor> list;
  list.reserve(file.size());
  for (const auto& [key, value] : file) list.push_back(outgoing(key, value));
  return write_safetensors(path, list, {{"format", "pt"}});
}

}  // namespace

std::string Adapters::save(const fs::path& folder, const std::string& base_model) const {
  const NoGradient no_gradient;
  std::string hash;
  int order = 0;
  for (const auto& a : instances_) {
    const fs::path to = instances_.size() == 1 ? folder : folder / a->id;
    fs::create_directories(to);
    const KeyNames keys(*a->table, *model_);
    const rgm_format* format = RGM_HAS(a->table, format) ? a->table->format : nullptr;

    std::map<std::string, Tensor> file;
    for (const Parameter& p : parameters_.all()) {
      if (!p.name.starts_with(a->scope.prefix)) continue;
      const auto [site, name] = a->place_of(p.name, *model_);
      const std::optional<std::string> key = keys.key(site, name);
      if (!key) continue;
      require(file.emplace(*key, p.value).second,
              "adapter \"{}\": several of its parameters are called \"{}\" in a file; they need {{site}} in its format",
              a->id, *key);
    }
    if (RGM_HAS(a->table, store)) {
      Batch stored;
      stored.examples = -1;
      call_plugin(a->name, "store", [&] { return a->table->store(a->self, &stored); });
      for (auto& [key, value] : stored.uploaded) file.insert_or_assign(key, value);
    }
    const Parameter* const head = model_->parameters().find("score.weight");
    const bool carries_head = head && head->trained && a == instances_.front();
    if (carries_head) file.insert_or_assign(keys.any_site() ? head_keys[0] : head_keys[1], head->value);
    const std::string written = write_tensors(to / adapter_tensors_file, file);
    if (hash.empty()) hash = written;

    const nlohmann::json options = to_json(*a->config);
    nlohmann::json config{{"regimen_id", a->id},
                          {"regimen_sites", a->patterns()},
                          // Several adapters lie one folder deeper.
                          {"base_model_name_or_path",
                           instances_.size() > 1 && base_model.starts_with("../") ? "../" + base_model : base_model},
                          {"inference_mode", true},
                          {"task_type", head ? "SEQ_CLS" : "CAUSAL_LM"}};
    if (instances_.size() > 1) config["regimen_order"] = order++;
    if (carries_head) {
      config["modules_to_save"] = {"score"};
      config["regimen_labels"] = model_->config().labels;
    }
    if (!format) config["regimen_options"] = options;
    if (format) {
      config["peft_type"] = format->peft_type;
      for (const rgm_pair& pair : pairs(format->options))
        config[pair.theirs] = options.value(pair.ours, nlohmann::json());
      for (const rgm_pair& pair : pairs(format->fixed))
        config[pair.ours] = nlohmann::json::parse(keys.filled(pair.theirs));
    }
    if (keys.any_site()) {
      std::set<std::string> modules;
      for (const Instance::Place& place : a->places) modules.insert(last_part(model_->sites()[place.site].theirs));
      config["target_modules"] = modules;
    }
    write_file(to / adapter_config_file, config.dump(2));
  }
  return hash;
}

}  // namespace rgm
