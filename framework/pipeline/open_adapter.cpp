// open_adapter.cpp - from an adapter's folder to the plug-in that understands it.
#include "pipeline/open_adapter.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "plugins/options.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {

constexpr const char* ensemble_file = "ensemble.json";

bool is_adapter(const fs::path& folder) { return fs::exists(folder / "adapter_config.json"); }

// Several act one after the other, in the order in which they were trained.
int64_t order_of(const fs::path& folder) {
  const auto config = json_or_discarded(read_file(folder / "adapter_config.json"));
  const auto found = config.is_object() ? config.find("regimen_order") : config.end();
  return found != config.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

// PEFT's files name a type, not a plug-in: the first plug-in whose format has that type reads them.
const Component& find_adapter(const SavedAdapter& saved, const fs::path& folder, Registry& registry) {
  if (!saved.id.empty()) return registry.find(RGM_KIND_ADAPTER, saved.id);
  for (const std::string& id : registry.ids(RGM_KIND_ADAPTER)) {
    const Component& component = registry.find(RGM_KIND_ADAPTER, id);
    const rgm_format* format = component.table<rgm_adapter>().format;
    if (format && format->peft_type && saved.peft_type == format->peft_type) return component;
  }
  const std::vector<std::string> known = registry.ids(RGM_KIND_ADAPTER);
  invalid("{}: no adapter plug-in reads the type \"{}\"; installed are: {} (looked in {})", folder.string(),
          saved.peft_type, known.empty() ? "none" : join(known), registry.places());
}

}  // namespace

std::vector<fs::path> adapter_folders(const fs::path& given, bool members_too) {
  for (const fs::path& folder : {given, given / "adapter"}) {
    if (is_adapter(folder)) return {folder};
    require(members_too || !fs::exists(folder / ensemble_file),
            "{}: is an ensemble of adapters, each of which answers on its own; name one of its folders, as in {}",
            folder.string(), (folder / "1").string());
    std::vector<fs::path> inside;
    if (folder.filename() == "adapter" && fs::is_directory(folder))
      for (const auto& entry : fs::directory_iterator(folder))
        if (is_adapter(entry.path())) inside.push_back(entry.path());
    std::ranges::sort(inside, {}, [](const fs::path& one) { return std::pair(order_of(one), one); });
    if (!inside.empty()) return inside;
  }
  invalid("{}: has no adapter: expected adapter_config.json in it, or in an adapter/ inside it", given.string());
}

std::string save_ensemble(std::span<Adapters* const> members, const fs::path& folder, const std::string& base) {
  std::string hashes;
  for (size_t m = 0; m < members.size(); ++m) {
    const fs::path own = folder / std::to_string(m + 1);
    fs::create_directory(own);
    const bool is_beside = base.starts_with("../");
    hashes += members[m]->save(own, is_beside ? "../" + base : base);
  }
  write_file(folder / ensemble_file, fmt::format("{{\"members\": {}}}\n", members.size()));
  return sha256(hashes);
}

const Component& saved_adapter_plugin(const fs::path& folder, Registry& registry) {
  return find_adapter(peek_adapter(folder), folder, registry);
}

namespace {

// What values compute may be another function with other options. Free texts only say how an adapter begins.
void tell_other_options(const SavedAdapter& saved, const rgm_config& config, const std::string& id,
                        const fs::path& folder) {
  const nlohmann::json now = to_json(config);
  std::vector<std::string> others;
  for (const rgm_option& option : options_of(*config.component)) {
    const auto there = saved.options.find(option.key);
    if (option.type != RGM_TEXT && option.type != RGM_TEXTS && there != saved.options.end() &&
        *there != now[option.key])
      others.push_back(fmt::format("{} {} instead of {}", option.key, now[option.key].dump(), there->dump()));
  }
  if (!others.empty())
    log::warning(
        "adapter \"{}\" starts from {} with {}, so it may begin as a different function; write the same values to "
        "continue it",
        id, folder.string(), join(others));
}

}  // namespace

std::map<std::string, Tensor> start_values(const fs::path& folder, const std::string& id, const rgm_config& config,
                                           const Model& model, Registry& registry) {
  std::vector<fs::path> found;
  std::vector<std::string> ids;
  for (const fs::path& one : adapter_folders(folder)) {
    ids.emplace_back(saved_adapter_plugin(one, registry).data->id);
    if (ids.back() == id) found.push_back(one);
  }
  require(found.size() == 1, "{}: expected one adapter of the kind \"{}\" to start from; there are: {}",
          folder.string(), id, join(ids));
  SavedAdapter saved = open_adapter(found[0], registry.find(RGM_KIND_ADAPTER, id).table<rgm_adapter>(), model);
  tell_other_options(saved, config, id, folder);
  return std::move(saved.tensors);
}

// Tokens that came after it was trained are none of its rows.
static const char* if_at_embedding(const Model& model) {
  if (model.new_tokens().empty()) return "";
  return "; an adapter at the embedding has no place for new tokens: add them before it is trained, or fold it in "
         "first, with model: {from: …, merged: true}";
}

void add_saved_adapter(Adapters& adapters, const fs::path& folder, const Model& model, Registry& registry) {
  const Component& component = saved_adapter_plugin(folder, registry);
  const auto& table = component.table<rgm_adapter>();
  try {
    SavedAdapter saved = open_adapter(folder, table, model);
    Problems problems((folder / "adapter_config.json").string());
    const auto config = read_options(*component.data, YAML::Load(saved.options.dump()), problems);
    problems.raise();
    adapters.add(component.data->id, table, *config, std::move(saved.tensors), component.path);
  } catch (const PluginError& e) {
    throw PluginError(e.status(), e.function(), e.said(), folder.string() + ": " + e.what() + if_at_embedding(model));
  } catch (const Error& e) {
    const std::string text = e.what();
    if (text.starts_with(folder.string())) throw;
    throw Error(e.status(), folder.string() + ": " + text + if_at_embedding(model));
  }
}

void take_saved_chat(const fs::path& folder, Model& model) {
  const fs::path file = folder / chat_template_file;
  if (fs::exists(file)) model.set_chat_template(read_file(file));
}

}  // namespace rgm
