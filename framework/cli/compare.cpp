// compare.cpp - `regimen compare`: the methods of runs side by side, each with its mean over seeds.
#include <fmt/format.h>

#include <boost/program_options.hpp>

#include "base/error.hpp"
#include "base/log.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "train/report.hpp"

namespace rgm {

int compare_runs(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  std::string out;
  po::options_description shown("Options");
  shown.add_options()("out", po::value(&out)->value_name("FILE"),
                      "where the page goes; otherwise compare.html in the first run's folder");
  const auto given = cli::parse(
      {.command = "compare",
       .line = "RUN… [--out FILE]",
       .text =
           "Puts the methods of runs side by side: accuracy, parameters, time, memory and bytes on disk. Stages with "
           "the\n"
           "same name in several runs, or NAME-1, NAME-2 in one, are one method with several seeds; their means and\n"
           "standard errors are shown, and how far each is behind the best, seed by seed.",
       .example = "regimen compare runs/ways-1 runs/ways-2 runs/ways-3",
       .places = {},
       .rest = "run"},
      shown, arguments);
  if (!given) return 0;
  require(given->count("run") > 0, "compare: which runs? As in `regimen compare runs/ways-1 runs/ways-2`");
  const auto& names = (*given)["run"].as<std::vector<std::string>>();
  const std::vector<fs::path> folders(names.begin(), names.end());
  const fs::path page = out.empty() ? folders[0] / "compare.html" : fs::path(out);
  const std::string table = write_comparison(folders, page);
  fmt::print("{}", table);
  log::info("wrote {}", page.string());
  return 0;
}

}  // namespace rgm
