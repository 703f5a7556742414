// schema.cpp - `regimen schema`: the grammar of pipelines as a JSON Schema, for an editor.
#include "pipeline/schema.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "cli/arguments.hpp"
#include "cli/command.hpp"

namespace rgm {

int print_schema(const std::vector<std::string>& arguments) {
  const auto given = cli::parse({.command = "schema",
                                 .line = "",
                                 .text = "Prints a JSON Schema (draft 2020-12) of pipelines, with the options of every "
                                         "plug-in that is installed or in\n$REGIMEN_PLUGIN_PATH. Editors use it to "
                                         "complete and check; `regimen check` reports everything that is wrong.",
                                 .example = "regimen schema > regimen.schema.json"},
                                {}, arguments);
  if (!given) return 0;
  Registry registry;
  fmt::print("{}\n", pipeline_schema(registry).dump(2));
  return 0;
}

}  // namespace rgm
