// open_backend.cpp - opening a backend's first device, or saying why it cannot be.
#include "cli/open_backend.hpp"

#include "plugins/minimal_host.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {

std::string plugin_error() {
  const rgm_str text = minimal_host().last_error();
  return {text.data, text.size};
}

OpenBackend::OpenBackend(Registry& registry, const std::string& id) {
  const Component& component = registry.find(RGM_KIND_BACKEND, id);
  Problems problems("");
  config_ = read_options(*component.data, YAML::Node(YAML::NodeType::Null), problems);
  problems.raise();
  table_ = &component.table<rgm_backend>();
  const std::string name = plugin_name("backend", id);
  uint32_t count = 0;
  const auto count_devices = [&] { return table_->device_count(&count); };
  if (answer_of_plugin(name, "device_count", count_devices) != RGM_OK)
    failure("backend \"{}\" is not usable: {}", id, plugin_error());
  if (count == 0) failure("backend \"{}\" is not usable: it found no device", id);
  if (answer_of_plugin(name, "open", [&] { return table_->open(0, config_.get(), &device_); }) != RGM_OK)
    failure("backend \"{}\" could not be opened: {}", id, plugin_error());
}

OpenBackend::~OpenBackend() {
  if (device_) table_->close(device_);
}

}  // namespace rgm
