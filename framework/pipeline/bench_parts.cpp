// bench_parts.cpp - medians, and kernels by their time.
#include "pipeline/bench_parts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rgm {

double median(std::vector<double> all) {
  std::ranges::sort(all);
  const size_t half = all.size() / 2;
  return all.size() % 2 ? all[half] : (all[half - 1] + all[half]) / 2;
}

double rounded(double x) { return std::stod(fmt::format("{:.4g}", x)); }

Figures kernel_table(const std::map<std::string, KernelTime>& times, double steps) {
  std::vector<std::pair<std::string, KernelTime>> all(times.begin(), times.end());
  std::ranges::sort(all, [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  double total = 0;
  for (const auto& one : all) total += one.second.seconds;
  Figures out = Figures::array();
  for (const auto& [name, t] : all) {
    if (t.seconds < total / 1000) break;
    Figures& row = out.emplace_back(Figures{{"kernel", name},
                                            {"calls", rounded(static_cast<double>(t.calls) / steps)},
                                            {"ms", rounded(t.seconds * 1e3 / steps)},
                                            {"share", rounded(t.seconds / total)}});
    if (t.operations > 0) row["gflops"] = rounded(t.operations / t.seconds * 1e-9);
  }
  return out;
}

}  // namespace rgm
