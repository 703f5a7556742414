// adapter_files.cpp - how an adapter's parameters are called in PEFT's files. Where our sites are parts of one fused
// module of theirs, as query, key and value in GPT-2's c_attn, and the format does not say how they are joined, the
// part's name is added to the key.
#include "base/json.hpp"
#include "base/text.hpp"
#include "host/adapter_instance.hpp"

namespace rgm {
namespace {

constexpr std::string_view site_mark = "{site}";

void replace(std::string& text, std::string_view mark, const std::string& with) {
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + with.size()))
    text.replace(at, mark.size(), with);
}

}  // namespace

std::span<const rgm_pair> pairs(const rgm_pair* list) {
  size_t n = 0;
  while (list && list[n].ours) ++n;
  return {list, n};
}

// Sites lie within sites, so the longest prefix counts.
std::pair<const SiteInfo*, std::string> Adapters::Instance::place_of(const std::string& full_name,
                                                                     const Model& model) const {
  const SiteInfo* site = nullptr;
  const std::string* prefix = &scope.prefix;
  for (const Place& place : places)
    if (full_name.starts_with(place.scope.prefix) && place.scope.prefix.size() > prefix->size()) {
      site = &model.sites()[place.site];
      prefix = &place.scope.prefix;
    }
  return {site, full_name.substr(prefix->size())};
}

KeyNames::KeyNames(const rgm_adapter& table, const Model& model) : table_(table), model_(model) {
  if (RGM_HAS(&table, format)) {
    const auto named = pairs(table.format->tensors);
    tensors_.assign(named.begin(), named.end());
  }
  for (const SiteInfo& site : model.sites()) ++parts_[site.theirs];
}

std::string KeyNames::filled(std::string text) const {
  const ModelConfig& c = model_.config();
  const std::pair<const char*, int64_t> numbers[] = {{"{layers}", c.layers},
                                                     {"{channels}", c.channels},
                                                     {"{heads}", c.heads},
                                                     {"{kv_heads}", c.kv_heads},
                                                     {"{kv_channels}", c.kv_heads * c.head_dim}};
  for (const auto& [mark, number] : numbers) replace(text, mark, std::to_string(number));
  return text;
}

std::optional<std::string> KeyNames::key(const SiteInfo* site, const std::string& name) const {
  return filled_in(site, name, false);
}
std::string KeyNames::whole_key(const SiteInfo& site, const std::string& name) const {
  return *filled_in(&site, name, true);
}

std::optional<std::string> KeyNames::filled_in(const SiteInfo* site, const std::string& name, bool whole) const {
  if (!RGM_HAS(&table_, format)) return site ? site->name + "." + name : name;
  for (const rgm_pair& pair : tensors_) {
    if (name != pair.ours) continue;
    std::string key = filled(pair.theirs);
    if (key.find(site_mark) == std::string::npos) return key;
    require(site != nullptr, "the format keeps \"{}\" at sites, but all of them share it", name);
    const std::string part = is_fused(*site) && !whole ? "." + last_part(site->name) : "";
    replace(key, site_mark, "base_model.model." + site->theirs + part);
    return key;
  }
  return std::nullopt;
}

std::optional<std::string> KeyNames::joining(const std::string& name) const {
  if (!RGM_HAS(&table_, format) || !RGM_HAS(table_.format, fused)) return std::nullopt;
  for (const rgm_pair& pair : pairs(table_.format->fused))
    if (name == pair.ours) return pair.theirs;
  return std::nullopt;
}

bool KeyNames::is_plain(const std::string& name) const {
  for (const rgm_pair& pair : tensors_)
    if (name == pair.ours) return std::string_view(pair.theirs).find(site_mark) == std::string_view::npos;
  return false;
}

bool KeyNames::any_site() const {
  for (const rgm_pair& pair : tensors_)
    if (std::string_view(pair.theirs).find(site_mark) != std::string_view::npos) return true;
  return false;
}

nlohmann::json read_adapter_config(const fs::path& folder) {
  const fs::path path = folder / adapter_config_file;
  nlohmann::json json = parse_json(read_file(path), path.string());
  require(json.is_object(), "{}: not a JSON object", path.string());
  return json;
}

fs::path adapter_tensors(const fs::path& folder) {
  fs::path path = folder / adapter_tensors_file;
  require(fs::exists(path),
          "{}: there is no such file: tensors in the format safetensors were expected; if there is only "
          "adapter_model.bin, open the adapter with PEFT and call save_pretrained",
          path.string());
  return path;
}

SavedAdapter peek_adapter(const fs::path& folder) {
  const nlohmann::json json = read_adapter_config(folder);
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  return {.id = text("regimen_id"), .peft_type = text("peft_type"), .options = {}, .tensors = {}};
}

}  // namespace rgm
