// adapter_nonsense.cpp - an adapter's hooks called directly, at one site of each kind, on tensors of any shape.
#include <list>

#include "host/adapter_instance.hpp"
#include "host/tables.hpp"
#include "inspect/adapter_trial.hpp"
#include "tensor/ops.hpp"

namespace rgm::inspect {
namespace {

// An instance with one site of each kind that it acts on, for calling its table directly.
struct Instance {
  std::unique_ptr<rgm_config> config;
  const rgm_adapter& table;
  std::shared_ptr<Model> model = tiny_model();
  Parameters parameters;
  void* self = nullptr;
  struct Place {
    std::string name;
    rgm_scope scope;
    void* state = nullptr;
  };
  std::list<Place> places;

  Instance(const Opened& opened, const Component& component)
      : config(config_of(*component.data, sample_options(*component.data))), table(component.table<rgm_adapter>()) {
    const NoGradient still;
    const RandomScope random({3, 0, 0, 0});
    opened.at("create");
    check_status(table.create(config.get(), &self));
    rgm_scope shared = scope("shared.");
    if (table.open) {
      rgm_model_info info{};
      info.struct_size = sizeof info;
      fill_info(*model, tokenizer_handle(model->tokenizer()), info);
      rgm_model base{model, true, true};
      info.model = &base;
      opened.at("open");
      check_status(table.open(self, &info, &shared));
    }
    uint32_t kinds = 0;
    for (const size_t i : matched_sites(*model, table.kinds, patterns_of(table), component.data->id)) {
      const SiteInfo& site = model->sites()[i];
      if (kinds & static_cast<uint32_t>(site.kind)) continue;
      kinds |= static_cast<uint32_t>(site.kind);
      Place& place = places.emplace_back(Place{site.name, scope(site.name + ".")});
      const rgm_site_info info{sizeof(rgm_site_info), site.kind, site.name.c_str(), &place.scope, site.weight.get(),
                               site.bias.get(),       site.in,   site.out,          site.layer,   site.scale};
      opened.at("attach at " + site.name);
      check_status(table.attach(self, &info, &place.state));
    }
  }
  ~Instance() {
    for (Place& place : places)
      if (table.detach && place.state) table.detach(self, place.state);
    if (self) table.destroy(self);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

 private:
  rgm_scope scope(const std::string& prefix) { return {&parameters, nullptr, prefix, 3, true, false}; }
};

}  // namespace

void adapter_nonsense_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Instance adapter(opened, opened.component(RGM_KIND_ADAPTER, id));
  const rgm_adapter& table = adapter.table;
  const RandomScope random({3, 1, 0, 0});
  Refusals seen;
  Tensor shared;
  if (table.begin) {
    rgm_tensor* out = nullptr;
    opened.at("begin");
    check_status(table.begin(adapter.self, &out));
    shared = Tensor::adopt(out);
  }
  for (const Instance::Place& place : adapter.places)
    for (const Shape& shape : {Shape(), Shape({3}), Shape({2, 0, 7}), Shape({2, 5, 7}), Shape({1, 2, 3, 4, 5})}) {
      const Tensor x = ops::full(shape, 1);
      const std::string of = fmt::format(" of the shape {} at {}", shape.text(), place.name);
      if (table.input)
        try_nonsense(opened, seen, "input" + of, [&](rgm_tensor** out) {
          return table.input(adapter.self, place.state, shared.get(), x.get(), out);
        });
      if (table.output)
        try_nonsense(opened, seen, "output" + of, [&](rgm_tensor** out) {
          return table.output(adapter.self, place.state, shared.get(), x.get(), ops::full(shape, 1).release(), out);
        });
      if (table.merge)
        try_nonsense(opened, seen, "merge" + of, [&](rgm_tensor** out) {
          rgm_tensor* bias = nullptr;
          const rgm_status status = table.merge(adapter.self, place.state, x.get(), nullptr, out, &bias);
          Tensor::adopt(bias);
          return status;
        });
    }
  if (table.restore)
    try_nonsense(opened, seen, "restore from an empty file", [&](rgm_tensor**) {
      Batch nothing;
      nothing.examples = -1;
      return table.restore(adapter.self, &nothing);
    });
  tell(opened, seen);
}

}  // namespace rgm::inspect
