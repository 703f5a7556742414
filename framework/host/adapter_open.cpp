// adapter_open.cpp - an adapter's folder, made here or by PEFT, as options and as parameters under our names.
#include <algorithm>
#include <set>

#include "artefact/safetensors.hpp"
#include "base/text.hpp"
#include "host/adapter_instance.hpp"
#include "tensor/ops.hpp"
#include "text/regular_expression.hpp"

namespace rgm {
namespace {

Tensor on_device(const SavedTensor& t) {
  const Tensor x = from_host(t.data.data(), Shape(std::span<const int64_t>(t.shape)), t.dtype);
  return t.dtype == RGM_F32 ? x : ops::cast(x, RGM_F32);
}

// What the tensor of a fused module is for one of its parts. Where it was saved here, it was joined of the parts that
// the adapter acts at, `acting`, and the others have nothing. PEFT's own is of all parts: the rows of the part where
// there is one for each output, as in the LoRA B of c_attn, and the whole where all parts read it, as the LoRA A.
Tensor of_part(const SiteInfo& part, const std::optional<std::string>& joining, const Tensor& whole, const Model& model,
               const std::set<const SiteInfo*>& acting, const std::string& where) {
  const FusedModule module(model, part.theirs);
  const auto index = static_cast<size_t>(std::ranges::find(module.parts(), &part) - module.parts().begin());
  if (acting.empty() || !joining)
    return whole.rank() > 0 && whole.size(0) == module.rows() ? module.rows_of(whole, index) : whole;
  std::vector<bool> acts;
  for (const SiteInfo* other : module.parts()) acts.push_back(acting.contains(other));
  return acts[index] ? module.part(*joining, whole, index, acts, where) : Tensor();
}

// Those of the folder, or the adapter's own.
std::vector<std::string> site_patterns(const nlohmann::json& options, const rgm_adapter& table,
                                       const std::string& where) {
  std::vector<std::string> out;
  const nlohmann::json sites = options.value("sites", nlohmann::json());
  for (const nlohmann::json& site : sites) {  // a list, or one
    require(site.is_string(), "{}: the sites are {}, texts were expected", where, sites.dump());
    out.push_back(site.get<std::string>());
  }
  if (!out.empty()) return out;
  for (const char* const* s = table.sites; s && *s; ++s) out.emplace_back(*s);
  return out;
}

constexpr const char* merge_first = "merge the adapter into its base with PEFT (merge_and_unload) and use that model";

// Whether a member of PEFT's adapter_config.json says more than nothing. `text`: whether it is one that begins so.
bool is_set(const nlohmann::json& config, const std::string& key, const std::string& text) {
  const auto found = config.find(key);
  if (found == config.end()) return false;
  if (!text.empty()) return found->is_string() && found->get<std::string>().starts_with(text);
  return !found->is_null() && *found != false && *found != "none" && *found != "" &&
         !(found->is_structured() && found->empty());
}

// What would be passed over in silence, and makes the adapter another one than it is in PEFT.
void refuse_unread(const nlohmann::json& config, const rgm_format* format, const std::string& where) {
  for (const rgm_pair& pair : pairs(format && RGM_HAS(format, refused) ? format->refused : nullptr)) {
    const std::string text = pair.ours, key = text.substr(0, text.find('='));
    if (is_set(config, key, key == text ? "" : text.substr(key.size() + 1)))
      invalid("{}: \"{}\" is {}: {}, which is not supported here; {}", where, key, config[key].dump(), pair.theirs,
              merge_first);
  }
  if (!is_set(config, "modules_to_save", "")) return;
  for (const nlohmann::json& module : config["modules_to_save"])  // the head of a classifier, by either name
    require(module == "score" || module == "classifier",
            "{}: \"modules_to_save\" has {}: it was trained along with the adapter, and the only such module read here "
            "is \"score\"; {}",
            where, module.dump(), merge_first);
}

// Which modules are of a kind of their own, as those of the feed-forward part: PEFT's names say it there, the format's
// patterns here.
void check_modules(const nlohmann::json& config, const rgm_adapter& table, const Model& model, const std::string& id,
                   const std::string& where, const nlohmann::json& options) {
  for (const rgm_pair& pair : pairs(RGM_HAS(table.format, modules) ? table.format->modules : nullptr)) {
    const nlohmann::json listed = config.value(pair.ours, nlohmann::json());
    if (listed.is_null()) continue;  // those that PEFT knows of the family
    const auto is_listed = [&](const std::string& module) {
      if (listed.is_string()) return RegularExpression(listed.get<std::string>(), where).fits(module);
      return std::ranges::any_of(listed, [&](const nlohmann::json& end) {
        return end.is_string() && module.ends_with(end.get_ref<const std::string&>());
      });
    };
    for (const size_t i : matched_sites(model, table.kinds, site_patterns(options, table, where), id)) {
      const SiteInfo& site = model.sites()[i];
      const bool is_here = matches(pair.theirs, site.name);
      require(is_listed(site.theirs) == is_here,
              "{}: \"{}\" is {}, which {} {}, and here that module is {} of them; {}", where, pair.ours, listed.dump(),
              is_here ? "leaves out" : "means", site.theirs, is_here ? "one" : "none", merge_first);
    }
  }
}

// What an option is that modules may have values of their own for is a part of what was trained, and PEFT's default is
// not ours.
void require_said(const nlohmann::json& config, const rgm_pair& option, const rgm_format& format,
                  const std::string& where) {
  for (const rgm_pair& named : pairs(format.options))
    if (std::string_view(named.ours) == option.ours)
      require(config.contains(named.theirs) && !config[named.theirs].is_null(),
              "{}: \"{}\" is missing, a number was expected: write the one that the adapter was trained with", where,
              named.theirs);
}

// PEFT may give some modules values of their own for an option: here there is one for all of them.
void take_patterns(const nlohmann::json& config, const rgm_adapter& table, const Model& model, const std::string& id,
                   const std::string& where, nlohmann::json& options) {
  if (!RGM_HAS(table.format, fused)) return;
  for (const rgm_pair& pair : pairs(table.format->fused)) {
    const auto option = fused_option(table, pair);
    if (option) require_said(config, pair, *table.format, where);
    if (!option || !is_set(config, option->key, "")) continue;
    const nlohmann::json& patterns = config[option->key];
    require(patterns.is_object(), "{}: \"{}\" is {}, an object was expected", where, option->key, patterns.dump());
    nlohmann::json value;
    std::string first;
    for (const size_t i : matched_sites(model, table.kinds, site_patterns(options, table, where), id)) {
      const std::string& module = model.sites()[i].theirs;
      nlohmann::json own = options[pair.ours];
      for (const auto& [pattern, given] : patterns.items())
        if (RegularExpression("(.*\\.)?(" + pattern + ")", where).fits(module)) {
          own = given;
          break;
        }
      if (first.empty()) value = own, first = module;
      require(value == own,
              "{}: \"{}\" makes the {} {} at {} and {} at {}, but one value for all modules was expected; {}", where,
              option->key, pair.ours, value.dump(), first, own.dump(), module, merge_first);
    }
    options[pair.ours] = value;
  }
}

nlohmann::json options_in(const nlohmann::json& config, const rgm_format* format) {
  nlohmann::json options = config.value("regimen_options", nlohmann::json::object());
  if (format)
    for (const rgm_pair& pair : pairs(format->options))
      if (const auto found = config.find(pair.theirs); found != config.end() && !found->is_null())
        options[pair.ours] = *found;
  const auto own = config.find("regimen_sites");
  if (own != config.end() && !own->is_null())
    options.erase("sites");  // they say more than PEFT's names, which a format may read, too
  for (const char* key : {"regimen_sites", "target_modules"}) {
    const auto found = config.find(key);
    if (options.contains("sites") || found == config.end() || found->is_null()) continue;
    options["sites"] = *found;
    // A list has names; PEFT takes a text for a regular expression, or for a word.
    if (key == std::string_view("target_modules") && found->is_string())
      options["sites"] = *found == "all-linear"
                             ? nlohmann::json({"*.attention.*", "*.mlp.*"})
                             : nlohmann::json(std::string(expression_mark) + found->get<std::string>());
  }
  return options;
}

}  // namespace

SavedAdapter open_adapter(const fs::path& folder, const rgm_adapter& table, const Model& model) {
  const NoGradient no_gradient;
  SavedAdapter out = peek_adapter(folder);
  const rgm_format* format = RGM_HAS(&table, format) ? table.format : nullptr;
  const nlohmann::json config = read_adapter_config(folder);
  const std::string where = (folder / adapter_config_file).string();
  refuse_unread(config, format, where);
  out.options = options_in(config, format);
  const bool is_own = !out.id.empty();
  if (format && !is_own) {
    take_patterns(config, table, model, format->peft_type, where, out.options);
    check_modules(config, table, model, format->peft_type, where, out.options);
  }

  const fs::path path = adapter_tensors(folder);
  const SafeTensors file(path);
  std::set<std::string> left;
  const SavedTensor* const head = saved_head(file);  // the model's: take_saved_head
  for (const SavedTensor& t : file.tensors())
    if (&t != head) left.insert(t.name);
  const auto found_at = [&](const std::string& key) {
    const SavedTensor* const found = file.find(key);
    require(!found || is_own || is_float(found->dtype),
            "{}: \"{}\" is of {}, float32, float16 or bfloat16 was expected", path.string(), key,
            found ? name_of(found->dtype) : "");
    return found;
  };
  const auto take = [&](const std::string& name, const std::string& key) {
    const SavedTensor* found = found_at(key);
    if (found) out.tensors.emplace(name, on_device(*found)), left.erase(key);
    return found != nullptr;
  };

  const KeyNames keys(table, model);
  std::set<const SiteInfo*> acting;  // where, if it was saved here
  if (is_own && keys.any_site())
    for (const size_t i : matched_sites(model, table.kinds, site_patterns(out.options, table, where), out.id))
      acting.insert(&model.sites()[i]);
  for (const rgm_pair& pair : keys.tensors()) {
    if (keys.is_plain(pair.ours)) {
      take(pair.ours, *keys.key(nullptr, pair.ours));
      continue;
    }
    for (const SiteInfo& site : model.sites()) {
      if (!(static_cast<uint32_t>(site.kind) & table.kinds) || site.theirs.empty()) continue;
      const std::string name = site.name + "." + pair.ours, key = *keys.key(&site, pair.ours);
      if (take(name, key) || !keys.is_fused(site)) continue;
      const std::string whole = keys.whole_key(site, pair.ours);
      if (const SavedTensor* found = found_at(whole)) {
        if (Tensor part = of_part(site, keys.joining(pair.ours), on_device(*found), model, acting,
                                  fmt::format("{}: \"{}\"", path.string(), whole)))
          out.tensors.emplace(name, std::move(part));
        left.erase(whole);
      }
    }
  }
  if (!format)
    for (const std::string& name : std::set(left)) take(name, name);
  // PEFT adds the base's own embedding where the adapter acts on that.
  std::erase_if(left, [](const std::string& key) { return key.ends_with(".base_layer.weight"); });
  if (RGM_HAS(&table, restore)) {
    for (const SavedTensor& t : file.tensors())
      if (&t != head) out.tensors.emplace(std::string(file_key) + t.name, on_device(t));
  } else {
    require(left.empty(), "{}: \"{}\" is not a parameter of this adapter in this model", path.string(),
            left.empty() ? "" : *left.begin());
  }
  return out;
}

}  // namespace rgm
