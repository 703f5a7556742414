// plugin_folders.cpp - the folders that are searched for plug-ins, and the libraries in them.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/error.hpp"
#include "plugins/registry.hpp"

namespace rgm {
namespace {

std::vector<fs::path> libraries_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  // A folder that is not there holds nothing.
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory)
    failure("{}: the plug-ins in it cannot be listed: {}{}", folder.string(), error.message(),
            error == std::errc::too_many_files_open ? "; raise the limit with ulimit -n" : "");
  for (const fs::directory_entry& e : entries)
    if (e.path().extension() == ".so") found.push_back(e.path());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

fs::path Registry::program_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

std::vector<fs::path> Registry::folders() {
  std::vector<fs::path> found{(program_folder() / ".." / "lib" / "regimen").lexically_normal()};
  const char* const more = std::getenv("REGIMEN_PLUGIN_PATH");
  for (std::string_view rest = more ? more : ""; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    if (!one.empty()) found.emplace_back(one);
  }
  return found;
}

std::vector<Registry::File*> Registry::files_in(const fs::path& folder) {
  std::vector<File*> found;
  for (const fs::path& path : libraries_in(folder)) found.push_back(&open(path));
  return found;
}

}  // namespace rgm
