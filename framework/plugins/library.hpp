// library.hpp - one plug-in file: refused when others may write it, hashed from the descriptor it is then loaded from,
// and never unloaded (threads and statics of vendors' libraries do not survive that).
#pragma once
#include <regimen/abi.h>

#include <optional>
#include <string>

#include "base/file.hpp"
#include "plugins/peek.hpp"

namespace rgm {

class PluginFile {
 public:
  // Opens the file and reads what it says of itself; no code of it runs. Throws RGM_INVALID naming the file when it
  // cannot be read, is writable by others, is no whole shared library, or was built for another major version.
  explicit PluginFile(fs::path path);
  ~PluginFile();
  PluginFile(PluginFile&& other) noexcept;
  PluginFile& operator=(PluginFile&&) = delete;

  const fs::path& path() const { return path_; }
  const std::string& sha256() const { return sha256_; }
  bool has_entry() const { return has_entry_; }  // false: some other library, which is never loaded
  // (kind, id) of each component; nothing where only loading can tell.
  const std::optional<std::vector<std::pair<int, std::string>>>& components() const { return components_; }
  // False when the file certainly has no such component; true too when only loading it can tell.
  bool may_have(int kind, const std::string& id) const;

  // Loads what was hashed and checks the constant in it. Needs has_entry().
  const rgm_plugin& load(uint32_t host_minor);

 private:
  fs::path path_;
  std::string sha256_;
  int fd_ = -1;
  bool has_entry_ = false;
  std::optional<std::vector<std::pair<int, std::string>>> components_;
};

}  // namespace rgm
