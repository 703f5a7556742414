// trained_model.hpp - a model from its folder with its adapters, opened on a device and frozen: what the commands that
// use a model begin with.
#pragma once
#include "host/adapters.hpp"
#include "model/model.hpp"
#include "pipeline/device.hpp"
#include "plugins/registry.hpp"

namespace rgm::cli {

class TrainedModel {
 public:
  // Stages' folders or the model/ and adapter/ in them; an empty backend: the best that is usable.
  TrainedModel(const std::string& model, const std::vector<std::string>& adapters, const std::string& backend);
  Adapters* adapters() { return adapters_.get(); }  // NULL: it has none
  const Model& operator*() const { return *model_; }
  const Model* operator->() const { return model_.get(); }

 private:
  Registry registry_;
  DeviceScope scope_;
  std::shared_ptr<Model> model_;
  std::unique_ptr<Adapters> adapters_;
};

}  // namespace rgm::cli
