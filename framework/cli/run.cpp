// run.cpp - `regimen run FILE`: runs a pipeline, and goes on with one that was interrupted.
#include <boost/program_options.hpp>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "host/host.hpp"
#include "pipeline/run.hpp"

namespace rgm {

int run_pipeline(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  ReadOptions read;
  RunOptions options;
  std::string out;
  po::options_description shown("Options");
  shown.add_options()("set", po::value(&read.set)->composing()->value_name("KEY=VALUE"),
                      "override a value, as in stages.base.steps=10; the value is YAML")(
      "backend", po::value<std::string>()->value_name("ID"), "use this backend instead of the pipeline's")(
      "out", po::value(&out)->value_name("DIR"), "where results go; otherwise runs/<pipeline>")(
      "only", po::value(&options.only)->value_name("STAGE"), "run only this stage, on the results of earlier ones")(
      "force", po::bool_switch(&options.force), "run everything from the start, even what has not changed");
  const auto given =
      cli::parse({.command = "run",
                  .line = "FILE [--set KEY=VALUE]… [--backend ID] [--out DIR] [--only STAGE] [--force]",
                  .text = "Runs a pipeline. An interrupted run resumes from its last checkpoint; stages whose "
                          "configuration, data, weights,\nplug-ins and seed have not changed are not run again.",
                  .example = "regimen run configs/quickstart.yaml --set stages.base.steps=10",
                  .places = {"file"}},
                 shown, arguments);
  if (!given) return 0;
  require(given->count("file") > 0, "run: which file? As in `regimen run configs/quickstart.yaml`");
  if (given->count("backend")) read.backend = (*given)["backend"].as<std::string>();
  require(given->count("out") == 0 || !out.empty(), "run: --out is empty, expected a folder, as in --out runs/first");
  options.out = out;

  catch_interrupts();
  Registry registry(host_table());
  const Pipeline pipeline = read_pipeline((*given)["file"].as<std::string>(), read, registry);
  try {
    run(pipeline, options, registry);
  } catch (const Interrupted& e) {
    log::end_progress();
    log::info("{}; the same command{} continues from there", e.what(), options.force ? " without --force" : "");
    return interrupt_status();
  }
  return 0;
}

}  // namespace rgm
