// aside.hpp - what steps that are not meant need, in a plan or a bench: a folder that goes away again, and silence.
#pragma once
#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"

namespace rgm {

// It goes also where Ctrl-C ends the program.
struct TemporaryFolder {
  fs::path path;
  explicit TemporaryFolder(std::string_view purpose) {
    std::string name = (fs::temp_directory_path() / fmt::format("regimen-{}-XXXXXX", purpose)).string();
    if (!::mkdtemp(name.data()))
      failure("{}: cannot be made: {}; set TMPDIR to another folder", name, std::strerror(errno));
    path = name;
    remove_when_interrupted(path);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
};

struct Quiet {
  explicit Quiet(log::Level level = log::Level::warning) : before(log::set_level(level)) {}
  ~Quiet() { log::set_level(before); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  const log::Level before;
};

}  // namespace rgm
