// run.cpp - `regimen run FILE`: runs a pipeline, and goes on with one that was interrupted.
#include <boost/program_options.hpp>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/together.hpp"
#include "host/host.hpp"
#include "pipeline/run.hpp"

namespace rgm {

namespace {

int run_together(const fs::path& file, const ReadOptions& read, RunOptions options,
                 const std::vector<std::string>& arguments, const std::optional<cli::StartedAs>& self) {
  catch_interrupts();
  Registry registry(host_table());
  const auto pipeline = [&] {
    try {
      return read_pipeline(file, read, registry);
    } catch (const std::exception&) {
      cli::keep_silent_in_others(read.collective, registry);  // they read the same
      throw;
    }
  }();
  cli::Together together(pipeline, registry, arguments, self);
  try {
    options.processes = &together.group();
    if (options.processes->size() > 1) tell_devices(*options.processes, pipeline, registry);
    run(pipeline, options, registry);
    together.finish();
  } catch (const Interrupted& e) {
    log::end_progress();
    log::info("{}; the same command{} continues from there", e.what(), options.force ? " without --force" : "");
    together.stop();
    return interrupt_status();
  } catch (...) {
    return together.fail(std::current_exception());
  }
  return 0;
}

}  // namespace

int run_pipeline(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  ReadOptions read;
  RunOptions options;
  std::string out;
  po::options_description shown("Options");
  shown.add_options()("set", po::value(&read.set)->composing()->value_name("KEY=VALUE"),
                      "override a value, as in stages.base.steps=10; the value is YAML")(
      "backend", po::value<std::string>()->value_name("ID"), "use this backend instead of the pipeline's")(
      "processes", po::value<std::string>()->value_name("N"),
      "so many processes share the work, each with a device or its part of the processors")(
      "collective", po::value<std::string>()->value_name("ID"),
      "how processes are joined, also those that a launcher starts; `regimen plugins` lists the collectives")(
      "out", po::value(&out)->value_name("DIR"), "where results go; otherwise runs/<pipeline>")(
      "only", po::value(&options.only)->value_name("STAGE"), "run only this stage, on the results of earlier ones")(
      "force", po::bool_switch(&options.force), "run everything from the start, even what has not changed");
  const auto given =
      cli::parse({.command = "run",
                  .line = "FILE [--set KEY=VALUE]… [--backend ID] [--processes N] [--collective ID] [--out DIR] "
                          "[--only STAGE] [--force]",
                  .text = "Runs a pipeline. An interrupted run resumes from its last checkpoint; stages whose "
                          "configuration, data, weights,\nplug-ins and seed have not changed are not run again.",
                  .example = "regimen run configs/quickstart.yaml --set stages.base.steps=10",
                  .places = {"file"}},
                 shown, arguments);
  if (!given) return 0;
  require(given->count("file") > 0, "run: which file? As in `regimen run configs/quickstart.yaml`");
  for (const auto& [flag, value] :
       {std::pair("backend", &read.backend), {"processes", &read.processes}, {"collective", &read.collective}})
    if (given->count(flag)) *value = (*given)[flag].as<std::string>();
  require(given->count("out") == 0 || !out.empty(), "run: --out is empty, expected a folder, as in --out runs/first");
  options.out = out;

  const std::optional<cli::StartedAs> self = cli::started_as();
  try {
    return run_together((*given)["file"].as<std::string>(), read, options, arguments, self);
  } catch (const std::exception&) {
    if (!self) throw;
    return cli::tell_starter(*self, std::current_exception());
  }
}

}  // namespace rgm
