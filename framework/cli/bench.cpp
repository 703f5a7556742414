// bench.cpp - `regimen bench`: how fast a pipeline's stage is here, or whether a backend's kernels are right.
#include "cli/bench.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/interrupt.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "host/host.hpp"
#include "pipeline/bench.hpp"

namespace rgm {

int bench(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  ReadOptions read;
  KernelBench kernels;
  BenchOptions stage;
  bool all = false;
  std::string plot;
  po::options_description options("Options");
  options.add_options()("set", po::value(&read.set)->composing()->value_name("KEY=VALUE"),
                        "override a value, as in stages.base.steps=10; the value is YAML")(
      "backend", po::value(&kernels.backend)->value_name("ID"),
      "use this backend instead of the pipeline's; with --kernels, the backend to check")(
      "stage", po::value(&stage.stage)->value_name("NAME"), "which stage to time; otherwise the first that trains")(
      "all", po::bool_switch(&all), "time every stage that trains; print an array")(
      "plot", po::value(&plot)->value_name("FILE"), "with --all: write an SVG of how time and memory grow")(
      "seconds", po::value(&stage.seconds)->value_name("N")->default_value(stage.seconds),
      "how long to run steps, at least five of them")("profile", po::bool_switch(&stage.profile),
                                                      "also show each kernel's share of a step")(
      "decode", po::value<int64_t>()->value_name("N"), "time decoding N sequences side by side instead of training")(
      "prompt", po::value(&stage.prompt)->value_name("TOKENS"),
      "with --decode: after prompts of this many tokens; prompts and answers are timed together")(
      "kernels", "compare a backend's kernels with the reference instead")(
      "only", po::value(&kernels.only)->value_name("TEXT"), "with --kernels: only those with this in their name")(
      "cases", po::value(&kernels.cases)->value_name("N")->default_value(kernels.cases),
      "with --kernels: at least this many for each")(
      "seed", po::value(&kernels.seed)->value_name("N")->default_value(kernels.seed),
      "with --kernels: the seed of shapes and values");
  const auto given = cli::parse(
      {.command = "bench",
       .line = "FILE [--set KEY=VALUE]… [--backend ID] [--stage NAME | --all [--plot FILE]] [--profile]\n"
               "       regimen bench FILE --decode N [--prompt TOKENS]\n"
               "       regimen bench --kernels --backend ID [--only TEXT] [--cases N] [--seed N]",
       .text =
           "Trains a stage for a few seconds and prints one JSON object: its speed, and that of plain matrix products\n"
           "of the same shapes. Or runs every kernel of a backend against the reference's on random shapes, strides,\n"
           "types and features; exit status 1 if any of them is wrong.",
       .example = "regimen bench configs/bench/char.yaml --profile",
       .places = {"file"}},
      options, arguments);
  if (!given) return 0;
  if (given->count("kernels")) {
    require(given->count("file") == 0, "bench: --kernels checks a backend, not a pipeline: leave one of them out");
    return bench_kernels(kernels);
  }
  require(given->count("file") > 0,
          "bench: say what to measure, as in `regimen bench configs/bench/char.yaml`, or `regimen bench --kernels "
          "--backend ID`");
  require(stage.seconds > 0 && stage.seconds <= 3600, "bench: --seconds is {}, expected more than 0 and at most 3600",
          stage.seconds);
  if (given->count("decode")) stage.decode = (*given)["decode"].as<int64_t>();
  require(!stage.decode || (*stage.decode > 0 && *stage.decode <= 64), "bench: --decode is {}, expected 1 to 64",
          stage.decode.value_or(0));
  require(stage.prompt >= 0 && (stage.prompt == 0 || stage.decode),
          "bench: --prompt is {}, expected at least 1, together with --decode", stage.prompt);
  require(!all || stage.stage.empty(), "bench: --all and --stage contradict each other: leave one of them out");
  require(plot.empty() || (all && !stage.decode),
          "bench: --plot draws what --all measures of training: add --all, without --decode");
  if (given->count("backend")) read.backend = kernels.backend;
  end_at_interrupts();
  Registry registry(host_table());
  const Pipeline pipeline = read_pipeline((*given)["file"].as<std::string>(), read, registry);
  const auto out = all ? bench_stages(pipeline, stage, registry) : bench_stage(pipeline, stage, registry);
  fmt::print("{}\n", out.dump(2));
  if (!plot.empty()) write_file(plot, growth_plot(out));
  return 0;
}

}  // namespace rgm
