// adapter.cpp - an adapter on a tiny model: where it acts, its gradients, its files, and what it is once merged.
#include <cmath>

#include "base/text.hpp"
#include "host/adapter_instance.hpp"
#include "inspect/adapter_trial.hpp"
#include "inspect/kernel_trace.hpp"
#include "tensor/ops.hpp"

namespace rgm::inspect {
namespace {

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
  return {{"sites", sites_step},        {"nonsense", adapter_nonsense_step},
          {"gradients", gradient_step}, {"capture", capture_step},
          {"files", files_step},        {"merge", merge_step},
          {"options", options_step}};
}

}  // namespace rgm::inspect
