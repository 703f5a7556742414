// device.cpp - asks every backend what it could do here and opens one.
#include "pipeline/device.hpp"

#include "base/log.hpp"
#include "base/process_here.hpp"
#include "base/text.hpp"
#include "plugins/options.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {

// The device keeps its configuration, which it borrows, as long as itself.
struct Held {
  std::shared_ptr<rgm_config> config;
  Device device;
};

// How many there are; throws the reason when there is none.
uint32_t count_devices(const rgm_backend& backend, const std::string& name) {
  uint32_t count = 0;
  check_status(answer_of_plugin(name, "device_count", [&] { return backend.device_count(&count); }));
  require(count > 0, "it found no device");
  return count;
}

// Of so many, the one of this process: the first, unless there are several processes on this machine.
uint32_t own_device(uint32_t count) { return process_here().number % count; }

std::shared_ptr<Device> open(const Choice& choice) {
  const auto& backend = choice.component->table<rgm_backend>();
  try {
    const uint32_t index =
        process_here().number == 0 ? 0 : own_device(count_devices(backend, plugin_name("backend", choice.id)));
    const auto held =
        std::shared_ptr<Held>(new Held{choice.config, Device(backend, index, choice.config.get(), choice.id)});
    return {held, &held->device};
  } catch (const Error& e) {
    throw Error(e.status(), fmt::format("backend \"{}\" cannot be opened: {}; `regimen plugins` lists what is usable",
                                        choice.id, e.what()));
  }
}

// How good the device of this process is; throws the reason when there is none.
rgm_device_info info_of(const rgm_backend& backend, const std::string& name, uint32_t index) {
  rgm_device_info info{};
  info.struct_size = sizeof info;
  check_status(answer_of_plugin(name, "device_info", [&] { return backend.device_info(index, &info); }));
  return info;
}

Choice best(Registry& registry) {
  std::optional<Choice> found;
  int32_t score = 0;
  std::string reasons;
  for (const std::string& id : registry.ids(RGM_KIND_BACKEND)) {
    try {
      Choice choice = choose_backend(id, registry);
      const auto& table = choice.component->table<rgm_backend>();
      const std::string name = plugin_name("backend", id);
      const rgm_device_info info = info_of(table, name, own_device(count_devices(table, name)));
      if (found && info.score <= score) continue;
      score = info.score;
      found = std::move(choice);
    } catch (const Error& e) {
      reasons += fmt::format("\n  {}: {}", id, e.what());
    }
  }
  if (!found)
    invalid("no backend can be used (looked in {}){}", registry.places(),
            reasons.empty() ? ": none is installed" : reasons);
  return *found;
}

}  // namespace

Choice choose_backend(const std::string& id, Registry& registry) {
  Choice choice;
  choice.id = id;
  choice.component = &registry.find(RGM_KIND_BACKEND, id);
  Problems problems(fmt::format("backend {}", id));
  choice.config = read_options(*choice.component->data, YAML::Node(), problems);
  problems.raise();
  return choice;
}

std::shared_ptr<Device> open_device(const std::optional<Choice>& choice, Registry& registry) {
  std::shared_ptr<Device> device = open(choice ? *choice : best(registry));
  const rgm_device_info& info = device->info();
  log::info("backend {} on {}{}", device->id(), info.name ? info.name : "its first device",
            choice ? "" : ": the best available here");
  set_current_device(device);
  return device;
}

std::string device_here(const std::optional<Choice>& choice, Registry& registry) {
  const Choice chosen = choice ? *choice : best(registry);
  const auto& backend = chosen.component->table<rgm_backend>();
  const std::string name = plugin_name("backend", chosen.id);
  const uint32_t count = count_devices(backend, name), index = own_device(count);
  const rgm_device_info info = info_of(backend, name, index);
  const auto given = chosen.config->values.find("threads");
  const bool is_given = given != chosen.config->values.end() && given->second.value.type == RGM_INTEGER;
  const int64_t wanted = is_given ? given->second.value.as.i : 0, threads = wanted > 0 ? wanted : info.threads;
  return fmt::format("{} on {}{}", chosen.id, info.name ? info.name : "its device",
                     count > 1     ? fmt::format(", device {}", index)
                     : threads > 1 ? fmt::format(", {} threads", threads)
                                   : ", one thread");
}

void require_bfloat16(const std::string& what, const std::string& otherwise) {
  const Device& device = current_device();
  require(device.info().dtypes >> RGM_BF16 & 1,
          "{} needs a backend that computes in it, which \"{}\" does not here; {}, or name another backend (`regimen "
          "plugins` lists them)",
          what, device.id(), otherwise);
}

}  // namespace rgm
