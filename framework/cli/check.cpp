// check.cpp - `regimen check FILE`: every problem of a pipeline at once, and nothing is run.
#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <cstdio>

#include "pipeline/pipeline.hpp"

namespace rgm {

int check(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  std::string file;
  ReadOptions options;
  po::options_description shown("Options");
  shown.add_options()("help,h", "this text")("set", po::value(&options.set)->composing()->value_name("KEY=VALUE"),
                                             "override a value, stages by name; the value is YAML")(
      "backend", po::value<std::string>()->value_name("ID"), "instead of the pipeline's");
  po::options_description all;
  all.add(shown).add_options()("file", po::value(&file));
  po::variables_map given;
  try {
    po::positional_options_description order;
    order.add("file", 1);
    po::store(po::command_line_parser(arguments).options(all).positional(order).run(), given);
    po::notify(given);
  } catch (const po::error& e) {
    invalid("check: {}; see `regimen check --help`", e.what());
  }
  if (given.count("help")) {
    std::ostringstream text;
    text << shown;
    fmt::print(
        "regimen check FILE [--set KEY=VALUE]… [--backend ID]\n\n"
        "Says every problem of a pipeline, each with its place, and runs nothing. Exit status 2 when there are any.\n\n"
        "{}\nExample: regimen check configs/quickstart.yaml --set stages.base.steps=10\n",
        text.str());
    return 0;
  }
  require(!file.empty(), "check: which file? As in `regimen check configs/quickstart.yaml`");
  if (given.count("backend")) options.backend = given["backend"].as<std::string>();

  Registry registry;
  const size_t stages = read_pipeline(file, options, registry).stages.size();
  fmt::print("{}: {} stage{}, no problems\n", file, stages, stages == 1 ? "" : "s");
  return 0;
}

}  // namespace rgm
