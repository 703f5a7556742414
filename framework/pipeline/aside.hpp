// aside.hpp - what steps that are not meant need, in a plan or a bench: a folder that goes away again, and silence.
#pragma once
#include <fmt/format.h>
#include <unistd.h>

#include <string_view>

#include "base/file.hpp"
#include "base/log.hpp"

namespace rgm {

struct TemporaryFolder {
  fs::path path;
  explicit TemporaryFolder(std::string_view purpose)
      : path(fs::temp_directory_path() / fmt::format("regimen-{}-{}", purpose, ::getpid())) {
    fs::create_directories(path);
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
