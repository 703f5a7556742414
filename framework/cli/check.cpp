// check.cpp - `regimen check FILE`: every problem of a pipeline at once, and nothing is run.
#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <cstdio>

#include "base/error.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "pipeline/pipeline.hpp"

namespace rgm {

int check(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  ReadOptions read;
  po::options_description shown("Options");
  shown.add_options()("set", po::value(&read.set)->composing()->value_name("KEY=VALUE"),
                      "override a value, stages by name; the value is YAML")(
      "backend", po::value<std::string>()->value_name("ID"), "instead of the pipeline's");
  const auto given =
      cli::parse({.command = "check",
                  .line = "FILE [--set KEY=VALUE]… [--backend ID]",
                  .text = "Says every problem of a pipeline, each with its place, and runs nothing. Exit status 2 when "
                          "there are any.",
                  .example = "regimen check configs/quickstart.yaml --set stages.base.steps=10",
                  .places = {"file"}},
                 shown, arguments);
  if (!given) return 0;
  require(given->count("file") > 0, "check: which file? As in `regimen check configs/quickstart.yaml`");
  if (given->count("backend")) read.backend = (*given)["backend"].as<std::string>();

  Registry registry;
  const std::string file = (*given)["file"].as<std::string>();
  const size_t stages = read_pipeline(file, read, registry).stages.size();
  fmt::print("{}: {} stage{}, no problems\n", file, stages, stages == 1 ? "" : "s");
  return 0;
}

}  // namespace rgm
