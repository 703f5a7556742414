// attach_adapters.cpp - the adapters of a stage's policy: those that its model comes with, and the stage's own; of an
// ensemble a set for each member.
#include "base/philox.hpp"
#include "pipeline/open_adapter.hpp"
#include "pipeline/open_stage.hpp"
#include "pipeline/taken_model.hpp"

namespace rgm {
namespace {

void add_own(const Stage& stage, const Surroundings& around, const Model& model, Adapters& to) {
  for (const Choice& choice : stage.adapters)
    to.add(choice.id, choice.component->table<rgm_adapter>(), *choice.config,
           starts_as_another(choice) && !around.planned
               ? start_values(start_of(choice, around.run), choice.id, *choice.config, model, around.registry)
               : std::map<std::string, Tensor>(),
           choice.component->path);
}

}  // namespace

std::unique_ptr<Adapters> attached(const Stage& stage, uint64_t seed, const Surroundings& around,
                                   const std::shared_ptr<Model>& model) {
  auto out = std::make_unique<Adapters>(model, seed);
  for (const fs::path& folder : adapters_of(stage.model, around))
    add_saved_adapter(*out, folder, *model, around.registry);
  if (!stage.adapters.empty() || stage.trainable_kind != "adapter") freeze(out->parameters());
  add_own(stage, around, *model, *out);
  return out;
}

void open_adapters(const Stage& stage, uint64_t seed, const Surroundings& around, OpenedStage& out) {
  const std::vector<fs::path> earlier = adapters_of(stage.model, around);
  if (earlier.empty() && stage.adapters.empty()) return;
  for (const fs::path& folder : earlier) take_saved_chat(folder, *out.model);
  // A head that the pipeline asks for is a new one.
  if (!stage.model.head_outputs)
    for (const fs::path& folder : earlier) take_saved_head(folder, *out.model);
  for (const Choice& choice : stage.adapters)
    for (const fs::path& folder : earlier)
      require(saved_adapter_plugin(folder, around.registry).data->id != choice.id, "{}",
              second_adapter(stage, choice.id, folder.string()));
  if (stage.ensemble > 1) {
    require(earlier.empty(), "stage \"{}\": an ensemble needs a model without adapters, but {} comes with some",
            stage.name, earlier.empty() ? "" : earlier[0].string());
    out.ensemble = std::make_unique<RowAdapters>(out.model);
    out.ensemble->deal();
    for (int64_t m = 1; m <= stage.ensemble; ++m) {
      auto member = std::make_unique<Adapters>(out.model, mix(seed, static_cast<uint64_t>(m)));
      add_own(stage, around, *out.model, *member);
      out.ensemble->add(std::to_string(m), std::move(member));
    }
    return;
  }
  out.adapters = attached(stage, seed, around, out.model);
}

std::string second_adapter(const Stage& stage, const std::string& id, const std::string& first) {
  return fmt::format(
      "stage \"{0}\": its model comes with an adapter \"{1}\" ({2}), and a second one of that name cannot be added to "
      "it: continue the first, as in adapter: {{{1}: {{...}}, from: ...}} on the model that it was made for, or fold "
      "it into the weights first, with model: {{from: ..., merged: true}}",
      stage.name, id, first);
}

bool starts_as_another(const Choice& adapter) { return !adapter.from_stage.empty() || !adapter.from_folder.empty(); }
fs::path start_of(const Choice& adapter, const fs::path& run) {
  return adapter.from_stage.empty() ? adapter.from_folder : run / adapter.from_stage;
}

}  // namespace rgm
