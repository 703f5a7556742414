// loader.hpp - opens a backend's library with the least of a host: it keeps the last failure, drops messages, and
// answers every option but one with its default.
#pragma once
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <regimen/abi.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "conformance/conformance.hpp"

// As plug-ins see it; here it is just a name for the options of the component that is opened.
struct rgm_config {
  const rgm_component* component;
  std::string key{}, choice{};  // the option that is given
};

namespace rgm::conformance {

inline std::string& last_failure() {
  thread_local std::string text;
  return text;
}

inline rgm_status fail(rgm_status code, rgm_str text) {
  last_failure().assign(text.data, text.size);
  return code;
}
inline rgm_str last_error() { return {last_failure().data(), last_failure().size()}; }
inline void log(int32_t, rgm_str) {}
inline rgm_status config_get(const rgm_config* config, const char* key, rgm_value* out) {
  for (const rgm_option* const* option = config->component->options; *option; ++option)
    if (std::string((*option)->key) == key) {
      *out = (*option)->initial;
      if (config->key == key) out->as.s = {config->choice.data(), config->choice.size()};
      return RGM_OK;
    }
  return fail(RGM_INVALID, {"no such option", 14});
}
inline const rgm_host& least_host() {
  static const rgm_host host = [] {
    rgm_host h{};
    h.struct_size = sizeof h;
    h.abi_minor = RGM_ABI_MINOR;
    h.version = "test";
    h.fail = fail;
    h.last_error = last_error;
    h.log = log;
    h.config_get = config_get;
    return h;
  }();
  return host;
}

// Where the plug-ins were built, or, installed, in the folder above this program's.
inline std::string library(const std::string& name) {
  const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const std::filesystem::path above = here.parent_path() / (name + ".so");
  return exists(above) ? above.string() : std::string(REGIMEN_PLUGIN_DIRECTORY) + "/" + name + ".so";
}

// The first device of the plug-in's backend; closed at the end, while the library stays loaded.
class Backend {
 public:
  explicit Backend(const std::string& name, const std::string& key = "", const std::string& choice = "") {
    void* handle = dlopen(library(name).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) throw std::runtime_error(dlerror());
    const auto* plugin = static_cast<const rgm_plugin*>(dlsym(handle, "regimen_plugin_v1"));
    if (!plugin || plugin->init(&least_host()) != RGM_OK) throw std::runtime_error(name + " is no plug-in");
    const rgm_component* component = plugin->components[0];
    const rgm_config config{component, key, choice};
    opened.table = static_cast<const rgm_backend*>(component->table);
    if (uint32_t count = 0; opened.table->device_count(&count) != RGM_OK) {
      reason = last_failure();
      return;
    }
    if (opened.table->open(0, &config, &opened.device) != RGM_OK) throw std::runtime_error(last_failure());
  }
  ~Backend() {
    if (opened.device) opened.table->close(opened.device);
  }
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  const rgm_kernels& kernels() const { return *opened.table->kernels(opened.device); }

  Device opened{};
  std::string reason{};  // why no device was opened, where the backend says that it is not usable here
};

inline Options with_errors(Options options = {}) {
  options.last_error = [] { return last_failure(); };
  return options;
}

}  // namespace rgm::conformance
