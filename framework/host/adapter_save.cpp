// adapter_save.cpp - adapters to PEFT's layout: adapter_config.json, which tells what they are, and
// adapter_model.safetensors.
#include <cmath>
#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
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

// Parameters at the parts of fused modules, until all parts are there: by the module and the parameter's name.
using OfParts = std::map<std::pair<std::string, std::string>, std::map<const SiteInfo*, Tensor>>;

// Adds them to the file, as the modules have them.
void join_parts(const OfParts& fused, const KeyNames& keys, const Model& model, std::map<std::string, Tensor>& file) {
  for (const auto& [place, values] : fused) {
    const auto& [theirs, name] = place;
    const FusedModule module(model, theirs);
    std::vector<Tensor> of_parts;
    for (const SiteInfo* part : module.parts()) {
      const auto found = values.find(part);
      of_parts.push_back(found == values.end() ? Tensor() : found->second);
    }
    file.emplace(keys.whole_key(*module.parts()[0], name), module.joined(*keys.joining(name), of_parts));
  }
}

// The modules that an adapter acts on, and at how many of its parts.
using Modules = std::map<std::string, int64_t>;

// The names of these modules, as short as they can be.
std::set<std::string> short_names(const std::set<std::string>& modules, const Model& model) {
  std::set<std::string> out;
  for (const std::string& module : modules) out.insert(short_name(module, modules, model));
  return out;
}

// An option of the parts is k times as much, or its root, of a module at k parts of which the adapter acts.
nlohmann::json by_modules(const FusedOption& fused, const nlohmann::json& value, const nlohmann::json& options,
                          const Modules& modules, const Model& model) {
  std::map<int64_t, std::set<std::string>> by_parts;
  for (const auto& [module, parts] : modules) by_parts[parts].insert(module);
  by_parts.erase(1);
  const bool root = !fused.root.empty() && options.value(fused.root, false);
  nlohmann::json out = nlohmann::json::object();
  for (const auto& [parts, names] : by_parts)
    for (const std::string& name : short_names(names, model)) {
      if (value.is_number_integer())
        out[name] = value.get<int64_t>() * parts;
      else
        out[name] = value.get<double>() * (root ? std::sqrt(static_cast<double>(parts)) : static_cast<double>(parts));
    }
  return out;
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
    OfParts fused;
    for (const Parameter& p : parameters_.all()) {
      if (!p.name.starts_with(a->scope.prefix)) continue;
      const auto [site, name] = a->place_of(p.name, *model_);
      const std::optional<std::string> key = keys.key(site, name);
      if (!key) continue;
      if (site && keys.is_fused(*site) && keys.joining(name)) {
        fused[{site->theirs, name}].emplace(site, p.value);
        continue;
      }
      require(file.emplace(*key, p.value).second,
              "adapter \"{}\": several of its parameters are called \"{}\" in a file; they need {{site}} in its format",
              a->id, *key);
    }
    join_parts(fused, keys, *model_, file);
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
      for (const rgm_pair& pair : pairs(format->fixed)) config[pair.ours] = parse_json(keys.filled(pair.theirs));
    }
    if (keys.any_site()) {
      Modules parts;
      std::set<std::string> modules;
      for (const Instance::Place& place : a->places) {
        const std::string& theirs = model_->sites()[place.site].theirs;
        modules.insert(theirs);
        ++parts[theirs];
      }
      std::set<std::string> targets = short_names(modules, *model_);
      for (const rgm_pair& pair : pairs(RGM_HAS(format, modules) ? format->modules : nullptr)) {
        std::set<std::string> some;
        for (const Instance::Place& place : a->places)
          if (const SiteInfo& site = model_->sites()[place.site]; matches(pair.theirs, site.name))
            some.insert(site.theirs);
        const std::set<std::string> names = short_names(some, *model_);  // that mean none of the other modules
        config[pair.ours] = names;
        targets.insert(names.begin(), names.end());  // of which PEFT wants them to be
      }
      config["target_modules"] = targets;
      for (const rgm_pair& pair : pairs(RGM_HAS(format, fused) ? format->fused : nullptr))
        if (const auto option = fused_option(*a->table, pair))
          if (const auto values = by_modules(*option, options[pair.ours], options, parts, *model_); !values.empty())
            config[option->key] = values;
    }
    write_file(to / adapter_config_file, config.dump(2));
  }
  return hash;
}

}  // namespace rgm
