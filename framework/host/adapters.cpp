// adapters.cpp - an adapter's life in a model: created, opened, attached at its sites, taken off again.
#include "host/adapters.hpp"

#include <set>

#include "host/adapter_instance.hpp"
#include "host/tables.hpp"
#include "tensor/tape.hpp"

namespace rgm {

Adapters::Instance::~Instance() {
  for (Place& place : places)
    if (place.state && RGM_HAS(table, detach)) table->detach(self, place.state);
  if (self) table->destroy(self);
}

std::vector<std::string> Adapters::Instance::patterns() const {
  std::vector<std::string> out;
  rgm_value value{};
  if (config && config_get(config.get(), "sites", &value) == RGM_OK && value.type == RGM_TEXTS) {
    for (uint32_t i = 0; i < value.count; ++i) out.emplace_back(value.as.ss[i].data, value.as.ss[i].size);
    return out;
  }
  for (const char* const* s = table->sites; s && *s; ++s) out.emplace_back(*s);
  return out;
}

Adapters::Adapters(std::shared_ptr<Model> model, uint64_t seed) : model_(std::move(model)), seed_(seed) {
  model_->set_hooks(this);
}
Adapters::~Adapters() {
  if (model_->hooks() == this) model_->set_hooks(nullptr);
}

namespace {

std::unique_ptr<rgm_config> copy_of(const rgm_config& config) {
  nlohmann::ordered_json values = to_json(config);
  for (auto it = values.begin(); it != values.end();) it = it->is_null() ? values.erase(it) : std::next(it);
  Problems problems(config.component->id);
  auto copy = read_options(*config.component, YAML::Load(values.dump()), problems);
  problems.raise();
  return copy;
}

// The values of a file under full names, the file's own keys apart.
void sort_saved(const std::string& id, std::map<std::string, Tensor>&& values, std::map<std::string, Tensor>& saved,
                std::map<std::string, Tensor>& file) {
  const std::string prefix = id + ".";
  for (auto& [name, value] : values) {
    if (name.starts_with(file_key))
      file.emplace(name.substr(file_key.size()), std::move(value));
    else
      saved.emplace(name.starts_with(prefix) ? name : prefix + name, std::move(value));
  }
}

// What a parameter is called in the adapter's file; `name`: without the adapter's id.
std::string key_in_file(const std::string& name, const KeyNames& keys, const Model& model) {
  if (keys.is_plain(name)) return *keys.key(nullptr, name);
  for (const SiteInfo& site : model.sites()) {
    if (!name.starts_with(site.name + ".")) continue;
    const std::string own = name.substr(site.name.size() + 1);
    if (const auto key = keys.key(&site, own))
      return keys.is_fused(site) && keys.joining(own) ? keys.whole_key(site, own) : *key;
  }
  return name;
}

}  // namespace

void Adapters::add(const std::string& id, const rgm_adapter& table, const rgm_config& config,
                   std::map<std::string, Tensor> saved, const fs::path& file) {
  for (const auto& other : instances_) require(other->id != id, "the model has two adapters \"{}\"", id);
  const bool opened = !saved.empty();
  auto made = std::make_unique<Instance>();
  Instance& a = *made;
  a.id = id;
  a.name = plugin_name("adapter", id, file);
  a.table = &table;
  a.config = copy_of(config);
  sort_saved(id, std::move(saved), a.saved, a.file);
  std::set<std::string> known;
  for (const auto& [name, value] : a.saved) known.insert(name);
  const bool restores = RGM_HAS(&table, restore);
  const std::vector<size_t> sites = matched_sites(*model_, table.kinds, a.patterns(), id);
  const KeyNames keys(table, *model_);
  const auto in_file = [&](const std::string& name) {  // for messages
    return fmt::format("\"{}\" of {}", key_in_file(name.substr(id.size() + 1), keys, *model_), adapter_tensors_file);
  };
  // The plug-in asks for shapes that the file may not have.
  const auto call = [&](const char* what, const rgm_scope& scope, auto&& body, std::string_view site = {}) {
    try {
      call_plugin(a.name, what, body, site);
    } catch (const Error& e) {
      if (scope.unfit.empty()) throw;
      throw Error(e.status(), in_file(scope.unfit) + ": " + e.what());
    }
  };

  // Parameters may start from random numbers, or from some that are computed.
  const NoGradient no_gradient;
  const RandomScope random({.seed = seed_});
  call_plugin(a.name, "create", [&] { return table.create(a.config.get(), &a.self); });
  const auto scope_named = [&](std::string prefix) {
    return rgm_scope{&parameters_, &a.saved, std::move(prefix), seed_, true, false};
  };
  a.scope = scope_named(id + ".");
  if (RGM_HAS(&table, open)) {
    rgm_model_info info{};
    info.struct_size = sizeof info;
    fill_info(*model_, tokenizer_handle(model_->tokenizer()), info);
    rgm_model base{model_, true, true};
    info.model = &base;
    call("open", a.scope, [&] { return table.open(a.self, &info, &a.scope); });
  }

  // A key that names no site and was not asked for by open belongs to the one site there is.
  for (const rgm_pair& pair : keys.tensors()) {
    auto value =
        keys.is_plain(pair.ours) ? a.saved.extract(a.scope.prefix + pair.ours) : decltype(a.saved)::node_type();
    if (!value) continue;
    require(sites.size() == 1, "adapter \"{}\": its file has one \"{}\" for {} sites", id, pair.theirs, sites.size());
    value.key() = fmt::format("{}{}.{}", a.scope.prefix, model_->sites()[sites[0]].name, pair.ours);
    a.saved.insert(std::move(value));
  }
  for (const auto& [name, value] : a.saved) known.insert(name);

  a.at.resize(model_->sites().size());
  for (const size_t i : sites) {
    const SiteInfo& site = model_->sites()[i];
    Instance::Place& place = a.places.emplace_back();
    place.site = i;
    place.scope = scope_named(fmt::format("{}.{}.", id, site.name));
    const rgm_site_info info{sizeof(rgm_site_info), site.kind, site.name.c_str(), &place.scope, site.weight.get(),
                             site.bias.get(),       site.in,   site.out,          site.layer,   site.scale};
    const SiteScope draws(static_cast<uint32_t>(i + 1));
    call(
        "attach", place.scope, [&] { return table.attach(a.self, &info, &place.state); }, site.name);
    a.at[i] = &place;
  }

  if (opened && restores) {
    Batch stored;
    stored.examples = -1;
    for (const auto& [key, value] : a.file) stored.uploaded.emplace(key, value);
    call_plugin(a.name, "restore", [&] { return table.restore(a.self, &stored); });
  }
  if (opened && !restores) {
    require(a.saved.empty(), "adapter \"{}\": nothing asks for the saved \"{}\", {}; was it made with other sites?", id,
            a.saved.empty() ? "" : a.saved.begin()->first, a.saved.empty() ? "" : in_file(a.saved.begin()->first));
    for (const Parameter& p : parameters_.all()) {
      if (!p.name.starts_with(a.scope.prefix)) continue;
      const auto [site, name] = a.place_of(p.name, *model_);
      if (!known.contains(p.name) && keys.key(site, name))
        invalid("adapter \"{}\": its file lacks \"{}\", {}", id, p.name, in_file(p.name));
    }
  }
  a.saved.clear();
  a.file.clear();
  a.scope.closed = true;
  for (Instance::Place& place : a.places) place.scope.closed = true;
  instances_.push_back(std::move(made));
}

}  // namespace rgm
