// open_adapter.hpp - adapters of a model, from the pipeline or from a folder.
#pragma once
#include "host/adapters.hpp"
#include "pipeline/pipeline.hpp"

namespace rgm {

// The folder with adapter_config.json that `given` means: itself, or the adapter/ in a stage's folder. Several adapters
// lie in folders of their own within it. RGM_INVALID when there is none, and where they are the members of an ensemble,
// which do not act together, unless these are wanted.
std::vector<fs::path> adapter_folders(const fs::path& given, bool members_too = false);
// Each member into a folder of its own, 1 and so on. Answers a hash of all of them.
std::string save_ensemble(std::span<Adapters* const> members, const fs::path& folder, const std::string& base);

// The plug-in that understands what is saved in `folder`, by id or by PEFT's name of the type.
const Component& saved_adapter_plugin(const fs::path& folder, Registry& registry);

// The values of the one adapter in `folder`, which is of the plug-in `id`, for another to start with; by the names of
// Adapters::add. Where `config` has other options than that one, this is told.
std::map<std::string, Tensor> start_values(const fs::path& folder, const std::string& id, const rgm_config& config,
                                           const Model& model, Registry& registry);
// The chat template that an adapter was taught with, where it lies beside it.
void take_saved_chat(const fs::path& folder, Model& model);
// Opens what is saved in `folder`, finds its plug-in, and adds it.
void add_saved_adapter(Adapters& adapters, const fs::path& folder, const Model& model, Registry& registry);

}  // namespace rgm
