#include "pipeline/taken_model.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "pipeline/added_tokens.hpp"
#include "pipeline/merged.hpp"
#include "pipeline/open_adapter.hpp"

namespace rgm {
namespace {

std::shared_ptr<Adapters> with_adapters(const std::vector<fs::path>& folders, const std::shared_ptr<Model>& model,
                                        const Surroundings& around) {
  if (folders.empty()) return nullptr;
  for (const fs::path& folder : folders) take_saved_head(folder, *model);
  auto adapters = std::make_shared<Adapters>(model, 0);
  for (const fs::path& folder : folders) add_saved_adapter(*adapters, folder, *model, around.registry);
  return adapters;
}

// In a plan what an earlier stage leaves is not there yet.
bool is_there(const ModelSpec& spec, const Surroundings& around) { return !around.planned || spec.from_stage.empty(); }

}  // namespace

std::vector<fs::path> adapters_of(const ModelSpec& spec, const Surroundings& around) {
  const bool taken = !spec.from_stage.empty() || !spec.from_folder.empty();
  if (!taken || spec.merged || !is_there(spec, around)) return {};
  return place_of(spec, around).adapters;
}

TakenModel take_frozen(const ModelSpec& spec, const Surroundings& around, const NarrowWeights& narrow) {
  TakenModel out{take_model(spec, around, narrow), nullptr};
  add_tokens("model", spec, *out.model);
  const auto adapters = with_adapters(adapters_of(spec, around), out.model, around);
  freeze(*out.model);
  if (adapters) freeze(adapters->parameters());
  out.adapters = adapters;
  return out;
}

std::shared_ptr<Model> take_merged(const Stage& stage, const Surroundings& around, const NarrowWeights& narrow) {
  const ModelSpec& spec = stage.model;
  if (!is_there(spec, around)) return take_model(spec, around, narrow);
  const std::string what = fmt::format("stage \"{}\": model", stage.name),
                    from = spec.from_stage.empty() ? spec.from_folder.string() : spec.from_stage;
  const std::vector<fs::path> folders = place_of(spec, around).adapters;
  require(!folders.empty(), "{}: {} has no adapter that could be merged: leave \"merged\" out", what, from);
  std::shared_ptr<Model> model = take_model(spec, around);
  for (const fs::path& folder : folders) {
    take_saved_chat(folder, *model);
    if (!spec.head_outputs) take_saved_head(folder, *model);  // one that the pipeline asks for is a new one
  }
  {
    Adapters adapters(model, 0);
    for (const fs::path& folder : folders) add_saved_adapter(adapters, folder, *model, around.registry);
    const double changed = merge_and_compare(what, *model, adapters, "leave \"merged\" out");
    log::info("stage {}: the adapter of {} is merged; the answers differ by {:.2g} of the largest logit", stage.name,
              from, changed);
  }
  if (narrow.any()) model->narrow(narrow);
  return model;
}

std::shared_ptr<Model> take_to_train(const std::string& what, const ModelSpec& spec, const Surroundings& around) {
  std::shared_ptr<Model> model = take_model(spec, around);
  const auto adapters = with_adapters(adapters_of(spec, around), model, around);
  if (!adapters) return model;
  try {
    adapters->merge();
  } catch (const Error& e) {
    invalid("{}: it is trained further with its adapter folded in, but {}. Use one that was trained without an adapter",
            what, e.what());
  }
  model->set_hooks(nullptr);
  return model;
}

}  // namespace rgm
