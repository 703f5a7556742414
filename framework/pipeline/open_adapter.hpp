// open_adapter.hpp - adapters of a model, from the pipeline or from a folder.
#pragma once
#include "host/adapters.hpp"
#include "pipeline/pipeline.hpp"

namespace rgm {

// The folder with adapter_config.json that `given` means: itself, or the adapter/ in a stage's folder. Several adapters
// lie in folders of their own within it. RGM_INVALID when there is none.
std::vector<fs::path> adapter_folders(const fs::path& given);

// The plug-in that understands what is saved in `folder`, by id or by PEFT's name of the type.
const Component& saved_adapter_plugin(const fs::path& folder, Registry& registry);

// Opens what is saved in `folder`, finds its plug-in, and adds it.
void add_saved_adapter(Adapters& adapters, const fs::path& folder, const Model& model, Registry& registry);

}  // namespace rgm
