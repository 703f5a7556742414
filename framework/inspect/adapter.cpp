// adapter.cpp - an adapter on a tiny model: where it acts, its hooks on tensors of any shape, its gradients, its files.
#include "host/adapters.hpp"

#include <cmath>

#include "base/text.hpp"
#include "host/adapter_instance.hpp"
#include "host/tables.hpp"
#include "inspect/kernel_trace.hpp"
#include "inspect/opened.hpp"
#include "inspect/scratch.hpp"
#include "tensor/ops.hpp"

namespace rgm::inspect {
namespace {

std::unique_ptr<rgm_config> config_of(const Component& component, const std::string& options) {
  Problems problems(component.data->id);
  auto config = read_options(*component.data, YAML::Load(options), problems);
  problems.raise();
  return config;
}

std::vector<std::string> patterns_of(const rgm_adapter& table) {
  std::vector<std::string> out;
  for (const char* const* s = table.sites; s && *s; ++s) out.emplace_back(*s);
  return out;
}

// A frozen model with the adapter on it.
struct Adapted {
  std::unique_ptr<rgm_config> config;
  std::shared_ptr<Model> model = tiny_model();
  std::unique_ptr<Adapters> adapters;

  Adapted(const Opened& opened, const Component& component, std::map<std::string, Tensor> saved = {})
      : Adapted(opened, component, sample_options(*component.data), std::move(saved)) {}
  Adapted(const Opened& opened, const Component& component, const std::string& options,
          std::map<std::string, Tensor> saved = {})
      : config(config_of(component, options)) {
    for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, false);
    adapters = std::make_unique<Adapters>(model, 3);
    opened.at("create, open and attach");
    adapters->add(component.data->id, component.table<rgm_adapter>(), *config, std::move(saved), component.path);
  }
  // Away from where it starts, which often does nothing at all.
  void disturb() const {
    const NoGradient still;
    const RandomScope random({9, 0, 0, 0});
    for (Parameter& p : adapters->parameters().all())
      assign(p.value, p.value + 0.3 * ops::random(p.value.shape(), RGM_NORMAL));
  }
  Tensor loss() const {
    const RandomScope random({1, 1, 0, 0});
    const Tensor tokens = tiny_tokens(2, 9);
    return model->cross_entropy({.tokens = tokens}, ops::full(tokens.shape(), 1.0 / 16));
  }
};

void sites_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Component& component = opened.component(RGM_KIND_ADAPTER, id);
  const auto& table = component.table<rgm_adapter>();
  const auto model = tiny_model();
  opened.at("its patterns of sites");
  if (patterns_of(table).empty()) return opened.skipped("it has no sites of its own, so every pipeline must give some");
  const std::vector<size_t> sites = matched_sites(*model, table.kinds, patterns_of(table), id);
  for (const size_t i : sites) {
    const auto kind = static_cast<uint32_t>(model->sites()[i].kind);
    if (table.key_values && !(kind & RGM_ATTENTION_SITE))
      return opened.failed("key_values is only asked for at ATTENTION sites, and {} is not one",
                           model->sites()[i].name);
    if (table.prompt && !(kind & RGM_EMBEDDING_SITE))
      return opened.failed("prompt is only asked for at the EMBEDDING site, and {} is not it", model->sites()[i].name);
  }
  const Adapted adapted(opened, component);
  const double before = double(item([&] {
    adapted.model->set_hooks(nullptr);
    return adapted.loss();
  }()));
  adapted.model->set_hooks(adapted.adapters.get());
  opened.at("a pass");
  const double after = double(item(adapted.loss()));
  if (!std::isfinite(after)) return opened.failed("the loss with it is {} before it has learned anything", after);
  opened.ok("{} of {} sites of a small model by {}; {} parameters; at the start the loss is {:.4f}, {:.4f} without it",
            sites.size(), model->sites().size(), join(patterns_of(table)), adapted.adapters->parameters().count(),
            after, before);
}

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
      : config(config_of(component, sample_options(*component.data))), table(component.table<rgm_adapter>()) {
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

void nonsense_step(Opened& opened, const std::string& id) {
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

void gradient_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Adapted adapted(opened, opened.component(RGM_KIND_ADAPTER, id));
  adapted.disturb();
  check_gradients(opened, {&adapted.adapters->parameters()}, [&] {
    opened.at("a pass");
    return adapted.loss();
  });
}

// What its hooks ask for is part of the step that may be captured.
void capture_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Adapted adapted(opened, opened.component(RGM_KIND_ADAPTER, id));
  adapted.disturb();
  const Tensor tokens = tiny_tokens(2, 9), others = tiny_tokens(2, 9, 'A'), weights = ops::full({2, 9}, 1.0 / 16);
  KernelTrace trace(current_device());
  const auto asked = [&](const Tensor& of, uint64_t step) {
    const RandomScope random({1, step, 0, 0});
    trace.take();
    opened.at("a pass");
    const Tensor loss = adapted.model->cross_entropy({.tokens = of}, weights);
    opened.at("backward");
    if (loss.needs_gradient()) backward(loss);
    for (const Parameter& p : adapted.adapters->parameters().all()) p.value.take_gradient();
    return trace.take();
  };
  asked(tokens, 1);  // what is made at the first call
  const int reads = Opened::read();
  const std::vector<std::string> first = asked(tokens, 2), second = asked(others, 3);
  if (Opened::read() != reads)
    return opened.failed(
        "its {} reads values: a step that was captured is run again without its hooks, and would go by what they read "
        "then; compute with tensors alone",
        Opened::read_in());
  if (const auto change = first_change(first, second))
    return opened.failed(
        "a step that was captured is run again without its hooks, but with other values of the same shapes kernel {} "
        "is \"{}\" where it was \"{}\": what a hook computes has to follow from shapes alone",
        change->place, change->is, change->was);
  opened.ok("steps may be captured with its hooks: {} kernels, the same with other values", first.size());
}

// What was saved and is opened again does the same to the last bit.
void files_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Component& component = opened.component(RGM_KIND_ADAPTER, id);
  const ScratchFolder folder;
  const Adapted first(opened, component);
  first.disturb();
  opened.at("saving");
  first.adapters->save(folder.path(), "");
  opened.at("opening what was saved");
  SavedAdapter saved = open_adapter(folder.path(), component.table<rgm_adapter>(), *first.model);
  if (saved.tensors.empty()) return opened.skipped("none of it goes into a file");
  const Adapted again(opened, component, std::move(saved.tensors));
  const float wanted = item(first.loss()), came = item(again.loss());
  if (wanted != came)
    return opened.failed("saved and opened again it gives the loss {}, {} before: its format loses something", came,
                         wanted);
  const auto* format = component.table<rgm_adapter>().format;
  opened.ok("saved and opened again, as {}", format ? fmt::format("PEFT's {}", format->peft_type) : "our own names");
}

// Folded into the weights, what it learned is still there.
void merge_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Component& component = opened.component(RGM_KIND_ADAPTER, id);
  if (!component.table<rgm_adapter>().merge) return opened.skipped("it has no merge, and `regimen merge` will say so");
  const Adapted adapted(opened, component);
  adapted.disturb();
  const double before = item(adapted.loss());
  opened.at("merge");
  try {
    adapted.adapters->merge();
  } catch (const Error& e) {
    const bool is_refusal = e.status() == RGM_INVALID || e.status() == RGM_UNSUPPORTED;
    return is_refusal ? opened.skipped("refused: {}", e.what()) : opened.failed("{}", e.what());
  }
  adapted.model->set_hooks(nullptr);
  const double after = item(adapted.loss());
  if (!(std::abs(after - before) <= 1e-4 * std::abs(before)))
    return opened.failed("merged, the model has the loss {:.6f}, and {:.6f} with the adapter beside it", after, before);
  opened.ok("merged, the loss is {:.6f}, as with the adapter beside the model", after);
}

void options_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Component& component = opened.component(RGM_KIND_ADAPTER, id);
  try_options(opened, *component.data, [&](const std::string& options) {
    const Adapted adapted(opened, component, options);
    const float loss = item(adapted.loss());
    require(std::isfinite(loss), "the loss is {}", loss);
  });
}

}  // namespace

std::vector<Step> adapter_steps() {
  return {{"sites", sites_step}, {"nonsense", nonsense_step}, {"gradients", gradient_step}, {"capture", capture_step},
          {"files", files_step}, {"merge", merge_step},       {"options", options_step}};
}

}  // namespace rgm::inspect
