// adapter_trial.hpp - an adapter on a tiny model that is frozen otherwise.
#pragma once
#include "host/adapters.hpp"
#include "inspect/opened.hpp"
#include "inspect/scratch.hpp"

namespace rgm::inspect {

std::vector<std::string> patterns_of(const rgm_adapter& table);  // of its own sites

struct Adapted {
  std::unique_ptr<rgm_config> config;
  std::shared_ptr<Model> model = tiny_model();
  std::unique_ptr<Adapters> adapters;

  // `options` as in a pipeline; without them those that must be given.
  Adapted(const Opened& opened, const Component& component, std::map<std::string, Tensor> saved = {});
  Adapted(const Opened& opened, const Component& component, const std::string& options,
          std::map<std::string, Tensor> saved = {});
  void disturb() const;  // away from where it starts, which often does nothing at all
  Tensor loss() const;
};

// -- adapter_nonsense.cpp
void adapter_nonsense_step(Opened& opened, const std::string& id);

}  // namespace rgm::inspect
