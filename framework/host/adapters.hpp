// adapters.hpp - adapters at work in a model: created, attached to the sites that their patterns name, called in every
// pass, saved in PEFT's layout and opened from it.
#pragma once
#include <regimen/abi/adapter.h>

#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "model/model.hpp"
#include "train/session.hpp"

namespace rgm {

class Adapters : public Hooks {
 public:
  // Attaches to `model`, which must outlive it: sets itself as the model's hooks.
  Adapters(std::shared_ptr<Model> model, uint64_t seed);
  ~Adapters() override;
  // create, open, attach at every site that matches its option `sites` (or the table's patterns); `saved`: values from
  // a file by our parameter names; `file`: the plug-in's, for messages. RGM_INVALID when a pattern matches nothing,
  // with near names.
  void add(const std::string& id, const rgm_adapter& table, const rgm_config& config,
           std::map<std::string, Tensor> saved = {}, const fs::path& file = {});

  // Folds all of them into the weights of their sites, in the order they act, and forgets them. RGM_INVALID, with the
  // reason and with `otherwise` as the next step, where one of them cannot be.
  void merge(std::string_view otherwise = "give it with --adapter instead");

  Parameters& parameters() { return parameters_; }  // of all of them; names are "lora.layers.0.attention.query.a"
  // Writes adapter_config.json and adapter_model.safetensors for each adapter: into `folder`, or folder/<id> when there
  // are several. Answers the SHA-256 of the (first) tensors file.
  std::string save(const fs::path& folder, const std::string& base_model) const;

  void begin(std::span<const int32_t> rows, int64_t count) override;
  bool has_input(size_t site) const override;
  bool has_output(size_t site) const override;
  Tensor input(size_t site, const Tensor& x) override;
  Tensor output(size_t site, const Tensor& x, Tensor y) override;
  std::pair<Tensor, Tensor> key_values(size_t site) override;
  Tensor prompt(size_t site) override;

 private:
  struct Instance;
  std::shared_ptr<Model> model_;
  uint64_t seed_;
  Parameters parameters_;
  std::list<std::unique_ptr<Instance>> instances_;
};

// RGM_INVALID, as of merge(), where no adapter of this kind can be folded into weights.
void require_mergeable(const std::string& id, const rgm_adapter& table, std::string_view otherwise);

// Which of the plug-ins a PEFT folder's peft_type (or our own id in it) asks for is the caller's to find; this reads
// the options and the tensors under our names.
struct SavedAdapter {
  std::string id;  // "regimen_id" of adapter_config.json, empty when PEFT made it
  std::string peft_type;
  nlohmann::json options;                 // ours, by the format's pairs
  std::map<std::string, Tensor> tensors;  // by our parameter names without the leading id
};
// The adapter's own id and peft_type alone: enough to find the plug-in.
SavedAdapter peek_adapter(const fs::path& folder);
// The head of a classifier that was saved beside the adapter becomes the model's, if there is one.
void take_saved_head(const fs::path& folder, Model& model);
void take_saved_head(const fs::path& folder, ModelConfig& config);  // how many outputs and which labels alone
SavedAdapter open_adapter(const fs::path& folder, const rgm_adapter& table, const Model& model);

}  // namespace rgm
