// aside.hpp - what steps that are not meant need, in a plan or a bench: a folder that goes away again, and silence.
#pragma once
#include <string_view>

#include "base/file.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"

namespace rgm {

// It goes also where Ctrl-C ends the program.
struct TemporaryFolder {
  fs::path path;
  explicit TemporaryFolder(std::string_view purpose) : path(make_temporary_folder(purpose)) {
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
  explicit Quiet(log::Level level = log::Level::warning) : Quiet(log::Levels{level, level}) {}
  explicit Quiet(log::Levels levels) : before(log::set_levels(levels)) {}
  ~Quiet() { log::set_levels(before); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  const log::Levels before;
};

}  // namespace rgm
