// bench.hpp - the halves of `regimen bench`: kernels against the reference here, stages in pipeline/bench.hpp.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace rgm {

struct KernelBench {
  std::string backend;
  std::string only;  // kernels with this in their name; empty: all
  int cases = 24;    // at least so many for each kernel
  int64_t seed = 1;
};

// Prints a table; answers the exit status, 1 when a kernel is wrong.
int bench_kernels(const KernelBench& options);

// An SVG of the objects of bench_stages(): a step's time against its arithmetic, and for series of stages
// (`context-512`, `context-1024`: one name, another number) whose rows grow, the peak of memory against the tokens of a
// row.
std::string growth_plot(const nlohmann::ordered_json& stages);

}  // namespace rgm
