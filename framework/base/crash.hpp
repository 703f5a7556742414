// crash.hpp - the last words of a process that crashes: where it was, and that what is on disk is good.
#pragma once
#include <string_view>

namespace rgm {

// From here on a crash is told on stderr before the signal ends the process as it would have. Where somebody else looks
// at crashes already, as a sanitizer does, nothing changes.
void tell_crashes();
// What is told from now on beside the signal's name; kept to 500 bytes.
void set_crash_note(std::string_view note);

}  // namespace rgm
