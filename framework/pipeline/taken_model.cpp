#include "pipeline/taken_model.hpp"

#include "base/error.hpp"
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

}  // namespace

std::vector<fs::path> adapters_of(const ModelSpec& spec, const Surroundings& around) {
  const bool taken = !spec.from_stage.empty() || !spec.from_folder.empty(),
             is_there = !around.planned || spec.from_stage.empty();
  if (!taken || !is_there) return {};
  return place_of(spec, around).adapters;
}

TakenModel take_frozen(const ModelSpec& spec, const Surroundings& around, const NarrowWeights& narrow) {
  TakenModel out{take_model(spec, around, narrow), nullptr};
  const auto adapters = with_adapters(adapters_of(spec, around), out.model, around);
  freeze(*out.model);
  if (adapters) freeze(adapters->parameters());
  out.adapters = adapters;
  return out;
}

std::shared_ptr<Model> take_to_train(const std::string& what, const ModelSpec& spec, const Surroundings& around) {
  std::shared_ptr<Model> model = take_model(spec, around);
  const auto adapters = with_adapters(adapters_of(spec, around), model, around);
  if (!adapters) return model;
  try {
    adapters->merge();
  } catch (const Error& e) {
    invalid("{}: it is trained further, with its adapter folded in, and {}. Take one that was trained without", what,
            e.what());
  }
  model->set_hooks(nullptr);
  return model;
}

}  // namespace rgm
