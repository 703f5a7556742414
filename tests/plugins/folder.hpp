// folder.hpp - a temporary folder with the fixtures that a test names.
#pragma once
#include <stdlib.h>

#include <initializer_list>
#include <string>

#include "base/file.hpp"

namespace rgm {

class Folder {
 public:
  explicit Folder(std::initializer_list<const char*> fixtures = {}) {
    char name[] = "/tmp/regimen-plugins-XXXXXX";
    path_ = ::mkdtemp(name);
    for (const char* f : fixtures) add(f);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const fs::path& path() const { return path_; }
  fs::path add(const std::string& fixture, const std::string& name = "") const {
    const fs::path to = path_ / ((name.empty() ? fixture : name) + ".so");
    fs::copy_file(fs::path(REGIMEN_FIXTURE_DIRECTORY) / "plugins" / (fixture + ".so"), to);
    fs::permissions(to, fs::perms(0644));  // whatever the umask of the build was
    return to;
  }

 private:
  fs::path path_;
};

// The text of the failure, or "" when there is none.
template <class F>
std::string failure_of(F&& body) {
  try {
    body();
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace rgm
