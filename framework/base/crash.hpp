// crash.hpp - the last words of a process that crashes, or that a plug-in ends: where it was, and that what is on disk
// is good.
#pragma once
#include <string_view>

namespace rgm {

// From here on a crash is told on stderr before the signal ends the process as it would have. Where somebody else looks
// at crashes already, as a sanitizer does, nothing changes.
void tell_crashes();
// From here on a process that ends by exit(), as a library may call it, says so and fails with 1; until the program
// says that it ends by itself. Children that are forked may end as they like.
void tell_exits();
void ends_by_itself();

// While this lives, last words name it: `name` is a plug-in's with its file, `function` which of its own. Both outlive
// it.
class PluginRuns {
 public:
  PluginRuns(std::string_view name, std::string_view function);
  ~PluginRuns();
  PluginRuns(const PluginRuns&) = delete;
  PluginRuns& operator=(const PluginRuns&) = delete;

 private:
  std::string_view name_before_, function_before_;
};

// What is told from now on beside the signal's name; kept to 500 bytes.
void set_crash_note(std::string_view note);

}  // namespace rgm
