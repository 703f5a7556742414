// open_backend.hpp - a backend by its id, with its first device open and nothing else of a host around it.
#pragma once
#include <memory>
#include <string>

#include "plugins/options.hpp"
#include "plugins/registry.hpp"

namespace rgm {

class OpenBackend {
 public:
  OpenBackend(Registry& registry, const std::string& id);  // with its default options
  ~OpenBackend();
  OpenBackend(const OpenBackend&) = delete;
  OpenBackend& operator=(const OpenBackend&) = delete;

  const rgm_backend& table() const { return *table_; }
  rgm_device* device() const { return device_; }
  const rgm_kernels& kernels() const { return *table_->kernels(device_); }

 private:
  std::unique_ptr<rgm_config> config_;
  const rgm_backend* table_ = nullptr;
  rgm_device* device_ = nullptr;
};

std::string plugin_error();  // what a plug-in's call failed with

}  // namespace rgm
