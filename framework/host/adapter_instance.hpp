// adapter_instance.hpp - one adapter in a model: what the plug-in made of it, at which sites, and how its parameters
// are called in files.
#pragma once
#include <optional>
#include <set>
#include <span>

#include "artefact/safetensors.hpp"
#include "host/adapters.hpp"
#include "plugins/options.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {

struct Adapters::Instance {
  struct Place {
    size_t site = 0;
    void* state = nullptr;  // what attach answered
    rgm_scope scope;
  };

  std::string id, name;  // the second for messages, with its file
  const rgm_adapter* table = nullptr;
  std::unique_ptr<rgm_config> config;  // a copy: plug-ins keep texts of it as long as they live
  void* self = nullptr;
  rgm_scope scope;                      // of what all sites share
  std::map<std::string, Tensor> saved;  // values that nobody has asked for yet, by full names
  std::map<std::string, Tensor> file;   // the same by the file's keys, for restore
  std::list<Place> places;              // scopes are borrowed by the plug-in, so they stay where they are
  std::vector<Place*> at;               // by site; NULL: not attached there
  Tensor shared;                        // what begin answered for this pass

  Instance() = default;
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance();
  std::vector<std::string> patterns() const;
  // A parameter's site (NULL: shared by all) and its name there.
  std::pair<const SiteInfo*, std::string> place_of(const std::string& full_name, const Model& model) const;
};

// The sites that `patterns` name among those of `kinds`: by our names or by Hugging Face's, whole or its last part.
// RGM_INVALID with near names when a pattern names none.
std::vector<size_t> matched_sites(const Model& model, uint32_t kinds, std::span<const std::string> patterns,
                                  const std::string& id);
// Begins a pattern that is a regular expression, which a whole name of Hugging Face's must fit.
inline constexpr std::string_view expression_mark = "expression:";
std::string last_part(const std::string& name);  // "c_attn" of "transformer.h.0.attn.c_attn"

// The keys of a format, for one model.
class KeyNames {
 public:
  KeyNames(const rgm_adapter& table, const Model& model);
  // {layers} {channels} {heads} {kv_heads} {kv_channels} as numbers of the model.
  std::string filled(std::string text) const;
  // Where parameter `name` of the site (NULL: of what all share) is kept; nothing where the format does not name it. Of
  // a part of a fused module there are two: the part's own, and what the whole module has.
  std::optional<std::string> key(const SiteInfo* site, const std::string& name) const;
  std::string whole_key(const SiteInfo& site, const std::string& name) const;
  // The pattern for `name` without {site}: one key for the whole model.
  bool is_plain(const std::string& name) const;
  bool any_site() const;  // does some key name a site?
  // Does another site lie in the same fused module?
  bool is_fused(const SiteInfo& site) const { return parts_.at(site.theirs) > 1; }
  // How the parameter is joined over the parts of a fused module; nothing where the format does not say.
  std::optional<std::string> joining(const std::string& name) const;
  std::span<const rgm_pair> tensors() const { return tensors_; }

 private:
  std::optional<std::string> filled_in(const SiteInfo* site, const std::string& name, bool whole) const;
  const rgm_adapter& table_;
  const Model& model_;
  std::vector<rgm_pair> tensors_;
  std::map<std::string, int> parts_;  // sites by module in their layout
};

std::span<const rgm_pair> pairs(const rgm_pair* list);  // up to the empty one

// What a format's list `fused` says of an option: "KEY", or "KEY root OPTION".
struct FusedOption {
  std::string key, root;
};
std::optional<FusedOption> fused_option(const rgm_adapter& table, const rgm_pair& pair);

// The sites of one module of theirs, in the order of its rows.
class FusedModule {
 public:
  FusedModule(const Model& model, const std::string& theirs);
  std::span<const SiteInfo* const> parts() const { return parts_; }
  int64_t rows() const { return rows_; }
  // One tensor for the module, joined as a format's list `fused` says, of the parts' own; an empty one: the adapter
  // does not act there.
  Tensor joined(const std::string& how, std::span<const Tensor> of_parts) const;
  // The way back, to the bit: what part `index` has where the adapter acts at `acts`. `where` begins the message where
  // the shape cannot be one of theirs.
  Tensor part(const std::string& how, const Tensor& whole, size_t index, const std::vector<bool>& acts,
              const std::string& where) const;
  // The rows of the part's outputs.
  Tensor rows_of(const Tensor& whole, size_t index) const;

 private:
  Tensor in_place(std::span<const Tensor> rows_of_parts) const;

  std::vector<const SiteInfo*> parts_;
  int64_t rows_ = 0, head_dim_;
};

// The shortest ends of these modules' names that name no other module of the model, as target_modules has them.
std::string short_name(const std::string& module, const std::set<std::string>& meant, const Model& model);

// Reads adapter_config.json.
nlohmann::json read_adapter_config(const fs::path& folder);
// The file with its tensors. RGM_INVALID where there is none, or one in another format alone.
fs::path adapter_tensors(const fs::path& folder);

inline constexpr const char* adapter_config_file = "adapter_config.json";
// Where PEFT keeps the head of a classifier; the second with prompts and prefixes.
inline constexpr const char* head_keys[] = {"base_model.model.score.weight", "base_model.score.weight"};
const SavedTensor* saved_head(const SafeTensors& file);
inline constexpr const char* adapter_tensors_file = "adapter_model.safetensors";
// Before the file's own keys among the values of a SavedAdapter, for adapters that restore by themselves.
inline constexpr std::string_view file_key = "file:";

}  // namespace rgm
