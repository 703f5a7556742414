#include "inspect/adapter_trial.hpp"

#include "pipeline/open_model.hpp"
#include "tensor/ops.hpp"

namespace rgm::inspect {

std::vector<std::string> patterns_of(const rgm_adapter& table) {
  std::vector<std::string> out;
  for (const char* const* s = table.sites; s && *s; ++s) out.emplace_back(*s);
  return out;
}

Adapted::Adapted(const Opened& opened, const Component& component, std::map<std::string, Tensor> saved)
    : Adapted(opened, component, sample_options(*component.data), std::move(saved)) {}

Adapted::Adapted(const Opened& opened, const Component& component, const std::string& options,
                 std::map<std::string, Tensor> saved)
    : config(config_of(*component.data, options)) {
  freeze(model->parameters());
  adapters = std::make_unique<Adapters>(model, 3);
  opened.at("create, open and attach");
  adapters->add(component.data->id, component.table<rgm_adapter>(), *config, std::move(saved), component.path);
}

void Adapted::disturb() const {
  const NoGradient still;
  const RandomScope random({9, 0, 0, 0});
  for (Parameter& p : adapters->parameters().all())
    assign(p.value, p.value + 0.3 * ops::random(p.value.shape(), RGM_NORMAL));
}

Tensor Adapted::loss() const {
  const RandomScope random({1, 1, 0, 0});
  const Tensor tokens = tiny_tokens(2, 9);
  return model->cross_entropy({.tokens = tokens}, ops::full(tokens.shape(), 1.0 / 16));
}

}  // namespace rgm::inspect
