// peek.hpp - what a plug-in file says about itself, read from its bytes: nothing is loaded and no code runs.
// So a folder can be searched for an id, and a file that is no plug-in, or is cut off, is never opened as a library.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace rgm {

struct Peek {
  std::vector<std::string> entries;  // exported symbols that begin with regimen_plugin_v
  // (kind, id) of each component; nothing where the file keeps them in a way that only loading it resolves
  std::optional<std::vector<std::pair<int, std::string>>> components;
};

// Throws RGM_INVALID, without the file's name, when the bytes are not a whole shared library for this machine.
Peek peek(std::span<const std::byte> file);

// What the loader will look at.
struct Symbols {
  std::vector<std::string> exported, undefined;  // undefined ones that the file cannot do without
  std::vector<std::string> needed;               // libraries that it is linked to
};
Symbols symbols_of(std::span<const std::byte> file);

}  // namespace rgm
