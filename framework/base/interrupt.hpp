// interrupt.hpp - Ctrl-C, SIGTERM, and SIGHUP of a terminal that was closed: the first asks the run to stop after its
// step, a second Ctrl-C or SIGTERM ends it at once.
#pragma once
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace rgm {

// From now on; once, before any other thread is made. `what_follows` is said at the first one. Whoever read what is
// said may be gone by then, as `tee` is behind a pipe: SIGPIPE is ignored, too. `timeout` and service managers signal
// the process and then its group: what comes again as soon as `same` is the same one, and no hand is that quick.
void catch_interrupts(std::string_view what_follows = "no step is under way, and the results so far are kept",
                      std::chrono::milliseconds same = std::chrono::milliseconds(100));
// As long as it lives, this is what follows.
class WhatFollows {
 public:
  explicit WhatFollows(std::string text);
  ~WhatFollows();
  WhatFollows(const WhatFollows&) = delete;
  WhatFollows& operator=(const WhatFollows&) = delete;

 private:
  std::string before_;
};
// The same for what has nothing to finish: the first one ends the program.
void end_at_interrupts();
// A folder that goes when one ends the program.
void remove_when_interrupted(const std::filesystem::path& folder);
bool interrupted();      // has one come?
int interrupt_status();  // 130: interrupted, with a checkpoint written

// Thrown when a run has stopped because of one.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Between the pieces of what takes long and leaves nothing half: throws "interrupted while DOING" when one has come.
template <class... A>
void stop_if_interrupted(fmt::format_string<A...> doing, A&&... args) {
  if (interrupted()) [[unlikely]]
    throw Interrupted("interrupted while " + fmt::format(doing, std::forward<A>(args)...));
}

}  // namespace rgm
