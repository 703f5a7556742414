// error.hpp - how the host fails: an exception with a status, thrown where the fact is known, caught at the command
// line and at the plug-in's border. RGM_INVALID is the user's or the caller's mistake and ends the program with 2.
#pragma once
#include <fmt/format.h>
#include <regimen/abi/base.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "base/text.hpp"

namespace rgm {

class Error : public std::runtime_error {
 public:
  // Readable whatever is quoted in it: what() would end at a NUL, and a terminal obeys an escape.
  Error(rgm_status status, const std::string& text) : std::runtime_error(printable(text)), status_(status) {}
  rgm_status status() const { return status_; }

 private:
  rgm_status status_;
};

// Bad input, in the user's files or on the command line: exit status 2.
template <class... A>
[[noreturn]] void invalid(fmt::format_string<A...> text, A&&... args) {
  throw Error(RGM_INVALID, fmt::format(text, std::forward<A>(args)...));
}
// The run cannot go on though nobody did wrong, such as a full disk: exit status 1.
template <class... A>
[[noreturn]] void failure(fmt::format_string<A...> text, A&&... args) {
  throw Error(RGM_INTERNAL, fmt::format(text, std::forward<A>(args)...));
}
template <class... A>
void require(bool condition, fmt::format_string<A...> text, A&&... args) {
  if (!condition) [[unlikely]]
    throw Error(RGM_INVALID, fmt::format(text, std::forward<A>(args)...));
}

inline int exit_status(const Error& e) { return e.status() == RGM_INVALID ? 2 : 1; }

}  // namespace rgm
