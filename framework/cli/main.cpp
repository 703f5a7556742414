// main.cpp - from the command line to a command, and from what it throws to a message and an exit status.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/crash.hpp"
#include "base/error.hpp"
#include "base/memory.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/ending.hpp"

namespace rgm::cli {
namespace {

void print_help(std::FILE* to) {
  size_t width = 0;
  for (const Command& c : commands()) width = std::max(width, c.name.size() + 1 + c.usage.size());
  fmt::print(to, "regimen - runs training pipelines for language models, written in YAML\n\nCommands\n");
  for (const Command& c : commands())
    fmt::print(to, "  regimen {:{}}  {}\n", fmt::format("{} {}", c.name, c.usage), width, c.summary);
  fmt::print(
      to,
      "\n  regimen COMMAND --help shows a command's options and an example.\n"
      "  regimen --version\n\n"
      "Plug-ins come from the installation's lib/regimen, from $REGIMEN_PLUGIN_PATH, and from what a pipeline names.\n"
      "Exit status: 0 done, 1 the run failed, 2 bad input, 130 interrupted with a checkpoint written.\n");
}

int dispatch(std::vector<std::string> arguments) {
  if (arguments.empty()) {
    print_help(stderr);
    return 2;
  }
  const std::string name = arguments.front();
  arguments.erase(arguments.begin());
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(stdout);
    return 0;
  }
  if (name == "--version") {
    fmt::print("regimen {}\n", REGIMEN_VERSION);
    return 0;
  }
  std::vector<std::string> names{"--help", "--version"};
  for (const Command& c : commands()) {
    if (c.name == name) return c.run(arguments);
    names.emplace_back(c.name);
  }
  const std::string near = did_you_mean(name, names);
  invalid("command \"{}\" is not known{}", name, near.empty() ? "; see `regimen --help`" : near);
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  tell_crashes();
  tell_exits();
  int status = 1;
  try {
    status = dispatch({argv + std::min(argc, 1), argv + argc});
  } catch (const std::exception&) {
    const Ending ending = ending_of(std::current_exception());
    complain(ending.text);
    status = ending.status;
  }
  // A result that could not be written is no result: a full disk, a closed pipe.
  if ((std::fflush(stdout) != 0 || std::ferror(stdout)) && status == 0) {
    complain("the output could not be written");
    status = 1;
  }
  ends_by_itself();
  return status;
}

}  // namespace rgm::cli
