// trained_model.cpp - opens a model and its adapters: those of every row, or those that rows name.
#include "cli/trained_model.hpp"

#include "artefact/safetensors.hpp"
#include "host/adapter_instance.hpp"
#include "host/host.hpp"
#include "pipeline/open_adapter.hpp"
#include "pipeline/open_model.hpp"

namespace rgm::cli {
namespace {

struct Named {
  std::string name, folder;
};

// "reviews=runs/p/reviews"; what is a folder as it stands, or has a slash before the sign, has no name.
Named named(const std::string& given) {
  const size_t at = given.find('=');
  if (at == given.npos || at == 0 || given.find('/') < at || fs::exists(given)) return {"", given};
  return {given.substr(0, at), given.substr(at + 1)};
}

bool has_head(const fs::path& adapter) { return saved_head(SafeTensors(adapter / adapter_tensors_file)) != nullptr; }

}  // namespace

TrainedModel::TrainedModel(const std::string& folder, const std::vector<std::string>& adapters,
                           const std::string& backend, const std::string& weights, Use use)
    : registry_(host_table()) {
  require(weights == "float32" || weights == "bfloat16", "--weights is {}, expected float32 or bfloat16", weights);
  ModelPlace place = model_place(folder);
  std::vector<Named> of_rows;
  for (const std::string& given : adapters) {
    if (Named one = named(given); !one.name.empty())
      of_rows.push_back(std::move(one));
    else
      for (fs::path& found : adapter_folders(given)) place.adapters.push_back(std::move(found));
  }
  require(of_rows.empty() || place.adapters.empty(),
          "adapters for every row ({}) and for those that name them (\"{}\") do not go together: name all, or give a "
          "model without adapters of its own",
          place.adapters.empty() ? "" : place.adapters[0].string(), of_rows.empty() ? "" : of_rows[0].name);
  std::optional<Choice> choice;
  if (!backend.empty()) choice = choose_backend(backend, registry_);
  open_device(choice, registry_);
  const rgm_kernels& kernels = current_device().kernels();
  const bool packs = use == Use::text && RGM_HAS(&kernels, pack);
  model_ = Model::open(place.model, weights == "bfloat16" ? NarrowWeights::all()
                                    : packs               ? NarrowWeights::as_saved()
                                                          : NarrowWeights());
  if (!place.adapters.empty()) adapters_ = std::make_unique<Adapters>(model_, 0);
  for (const fs::path& adapter : place.adapters) take_saved_head(adapter, *model_), take_saved_chat(adapter, *model_);
  freeze(*model_);
  for (const fs::path& adapter : place.adapters) add_saved_adapter(*adapters_, adapter, *model_, registry_);
  if (!of_rows.empty()) rows_ = std::make_unique<RowAdapters>(model_);
  for (const Named& one : of_rows) {
    auto set = std::make_unique<Adapters>(model_, 0);
    for (const fs::path& adapter : adapter_folders(one.folder)) {
      require(!has_head(adapter),
              "{}: it brings a classifier's head, and rows of one batch share the model's: evaluate it alone, with "
              "--adapter {}",
              adapter.string(), one.folder);
      add_saved_adapter(*set, adapter, *model_, registry_);
    }
    rows_->add(one.name, std::move(set));
  }
  if (packs) model_->pack();
}

std::string adapter_of(const Row& row, const std::string& where) {
  const auto found = row.find("adapter");
  if (found == row.end() || found->is_null()) return "";
  require(found->is_string(), "{}: \"adapter\" is {}, expected a name", where, found->dump());
  return found->get<std::string>();
}

}  // namespace rgm::cli
