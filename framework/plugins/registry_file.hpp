// registry_file.hpp - a file that the registry has looked at, once.
#pragma once
#include <optional>
#include <string>

#include "plugins/registry.hpp"

namespace rgm {

struct Registry::File {
  fs::path path;
  std::optional<PluginFile> file;  // nothing: `problem` says why
  std::string problem;
  const rgm_plugin* plugin = nullptr;
  bool started = false;
};

}  // namespace rgm
