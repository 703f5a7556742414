// plugins_check.cpp - `regimen plugins check FILE.so`: is a plug-in sound? For its author, before anybody else has it.
#include <fmt/format.h>

#include "base/error.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "inspect/inspect.hpp"

namespace rgm {

int check_plugin_file(const std::vector<std::string>& arguments) {
  const auto given = cli::parse({.command = "plugins check",
                                 .line = "FILE.so",
                                 .text = "Tests a plug-in file, wherever it is: its symbols, tables and options, every "
                                         "callback on sense and nonsense,\n"
                                         "gradients against finite differences, a backend's kernels against the "
                                         "reference, sums of two processes. Each check\n"
                                         "runs in a process of its own, so a crash is just a line of the report. Exit "
                                         "status 0 if sound, 1 if not, 2 if there is no\nsuch file.",
                                 .example = "regimen plugins check build/focal_loss.so",
                                 .places = {"file"}},
                                {}, arguments);
  if (!given) return 0;
  require(given->count("file") > 0, "plugins check: which file? As in `regimen plugins check build/focal_loss.so`");
  const std::string file = (*given)["file"].as<std::string>();
  std::string part;
  const std::vector<inspect::Finding> findings = inspect::inspect(file, [&](const inspect::Finding& finding) {
    if (part.empty()) fmt::print("{}\n", file);
    const bool is_first = finding.part != std::exchange(part, finding.part);
    fmt::print("{}", inspect::line_of(finding, is_first));
    std::fflush(stdout);
  });
  fmt::print("{}", inspect::summary(findings));
  return inspect::all_sound(findings) ? 0 : 1;
}

}  // namespace rgm
