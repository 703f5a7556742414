#include "cli/trained_model.hpp"

#include "host/host.hpp"
#include "pipeline/open_adapter.hpp"
#include "pipeline/open_model.hpp"

namespace rgm::cli {

TrainedModel::TrainedModel(const std::string& folder, const std::vector<std::string>& adapters,
                           const std::string& backend)
    : registry_(host_table()) {
  ModelPlace place = model_place(folder);
  for (const std::string& adapter : adapters)
    for (fs::path& found : adapter_folders(adapter)) place.adapters.push_back(std::move(found));
  std::optional<Choice> choice;
  if (!backend.empty()) choice = choose_backend(backend, registry_);
  open_device(choice, registry_);
  model_ = Model::open(place.model);
  if (!place.adapters.empty()) adapters_ = std::make_unique<Adapters>(model_, 0);
  for (const fs::path& adapter : place.adapters) take_saved_head(adapter, *model_);
  freeze(*model_);
  for (const fs::path& adapter : place.adapters) add_saved_adapter(*adapters_, adapter, *model_, registry_);
}

}  // namespace rgm::cli
