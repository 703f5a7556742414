// fuzz.hpp - what every target shares: one function over bytes, a file in memory, and what may come out: a result, or
// an rgm::Error. Anything else, a crash, a hang, or too much memory, is a finding.
#pragma once
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

namespace rgm::fuzz {

// A folder of this process alone, in memory.
inline const fs::path& folder() {
  static const fs::path path = [] {
    const fs::path memory = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
    const fs::path own = memory / ("regimen-fuzz-" + std::to_string(::getpid()));
    fs::create_directories(own);
    static const struct Remove {
      fs::path path;
      ~Remove() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
      }
    } at_the_end{own};
    log::set_levels({log::Level::nothing, log::Level::nothing});
    return own;
  }();
  return path;
}

inline fs::path file(const std::string& name, std::string_view text) {
  const fs::path path = folder() / name;
  std::FILE* out = std::fopen(path.c_str(), "wb");
  if (out) {
    std::fwrite(text.data(), 1, text.size(), out);
    std::fclose(out);
  }
  return path;
}

template <class F>
void only_errors(F&& body) {
  try {
    body();
  } catch (const Error&) {  // said what is wrong
  }
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace rgm::fuzz
