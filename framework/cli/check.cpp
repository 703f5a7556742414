// check.cpp - `regimen check FILE`: every problem of a pipeline at once, and nothing is run.
#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <cstdio>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "host/host.hpp"
#include "pipeline/aside.hpp"
#include "pipeline/device.hpp"
#include "pipeline/rehearse.hpp"

namespace rgm {
namespace {

// Another machine may have the backend that is named: here another one stands in for it.
std::shared_ptr<Device> some_device(const Pipeline& pipeline, Registry& registry) {
  const Quiet quiet;
  try {
    return open_device(pipeline.backend, registry);
  } catch (const Error& e) {
    if (!pipeline.backend) throw;
    log::warning("{} (the rest was checked all the same)", e.what());
    return open_device(std::nullopt, registry);
  }
}

// Models, adapters, rewards and data, as far as they are there before anything is run.
void open_all(const Pipeline& pipeline, Registry& registry) {
  const TemporaryFolder folder("check");
  const DeviceScope scope;
  const auto device = some_device(pipeline, registry);
  const Quiet quiet;         // what is made on the way is not kept
  const log::EachOnce once;  // of data that several stages read
  const auto problems = rehearse(pipeline, registry, folder.path / "cache", *device, log::Level::warning);
  if (!problems.empty()) invalid("{}", fmt::join(problems, "\n"));
}

}  // namespace

int check(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  ReadOptions read;
  po::options_description shown("Options");
  shown.add_options()("set", po::value(&read.set)->composing()->value_name("KEY=VALUE"),
                      "override a value, as in stages.base.steps=10; the value is YAML")(
      "backend", po::value<std::string>()->value_name("ID"), "use this backend instead of the pipeline's")(
      "processes", po::value<std::string>()->value_name("N"), "so many processes share the work")(
      "collective", po::value<std::string>()->value_name("ID"), "how processes are joined");
  const auto given =
      cli::parse({.command = "check",
                  .line = "FILE [--set KEY=VALUE]… [--backend ID] [--processes N] [--collective ID]",
                  .text = "Reports every problem in a pipeline, with its file, line and column, and runs nothing. Once "
                          "the file is right, every\nstage is opened, and the first problem of each with its models, "
                          "adapters and data is reported. Exit status 2 if there\nare any.",
                  .example = "regimen check configs/quickstart.yaml --set stages.base.steps=10",
                  .places = {"file"}},
                 shown, arguments);
  if (!given) return 0;
  require(given->count("file") > 0, "check: which file? As in `regimen check configs/quickstart.yaml`");
  if (given->count("backend")) read.backend = (*given)["backend"].as<std::string>();
  if (given->count("processes")) read.processes = (*given)["processes"].as<std::string>();
  if (given->count("collective")) read.collective = (*given)["collective"].as<std::string>();

  end_at_interrupts();
  Registry registry(host_table());
  const std::string file = (*given)["file"].as<std::string>();
  const Pipeline pipeline = read_pipeline(file, read, registry);
  open_all(pipeline, registry);
  const size_t stages = pipeline.stages.size();
  fmt::print("{}: {} stage{}, no problems\n", file, stages, stages == 1 ? "" : "s");
  return 0;
}

}  // namespace rgm
