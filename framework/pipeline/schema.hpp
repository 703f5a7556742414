// schema.hpp - the grammar of pipelines as a JSON Schema, for completion and checking in an editor.
#pragma once
#include <nlohmann/json.hpp>

#include "plugins/registry.hpp"

namespace rgm {

// Draft 2020-12, with the options of every plug-in that is installed. It knows keys, types and ranges; what depends on
// two places of a file is said by `regimen check` alone.
nlohmann::ordered_json pipeline_schema(Registry& registry);

}  // namespace rgm
