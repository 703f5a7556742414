// interrupt.hpp - Ctrl-C, SIGTERM, and SIGHUP of a terminal that was closed: the first asks the run to stop after its
// step, a second Ctrl-C or SIGTERM ends it at once.
#pragma once
#include <filesystem>
#include <stdexcept>
#include <string_view>

namespace rgm {

// From now on; once, before any other thread is made. `what_follows` is said at the first one. Whoever read what is
// said may be gone by then, as `tee` is behind a pipe: SIGPIPE is ignored, too.
void catch_interrupts(std::string_view what_follows = "this step is finished and a checkpoint written");
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

}  // namespace rgm
