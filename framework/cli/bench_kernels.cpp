// bench_kernels.cpp - `regimen bench --kernels`: every kernel of a backend against the reference, on random shapes.
#include "cli/bench.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "cli/open_backend.hpp"
#include "conformance/conformance.hpp"

namespace rgm {
static conformance::Device device_of(const OpenBackend& opened) { return {&opened.table(), opened.device(), 0}; }

int bench_kernels(const KernelBench& options) {
  require(options.cases > 0, "bench: --cases is {}, expected at least 1", options.cases);
  require(options.seed >= 0, "bench: --seed is {}, expected at least 0", options.seed);
  Registry registry;
  require(!options.backend.empty(), "bench: which backend? Give --backend ID with one of: {}",
          fmt::join(registry.ids(RGM_KIND_BACKEND), ", "));
  conformance::Options how;
  how.seed = static_cast<uint64_t>(options.seed);
  how.cases_per_kernel = options.cases;
  how.filter = options.only;
  how.last_error = plugin_error;
  const OpenBackend reference(registry, "reference");
  const OpenBackend subject(registry, options.backend);
  bool begun = false;  // lines as they come: whoever has little time sees how far it got
  how.after = [&](std::span<const conformance::Result> of_one_kernel) {
    if (!std::exchange(begun, true)) fmt::print("{}", conformance::table_heading());
    fmt::print("{}", conformance::table_line(of_one_kernel));
    std::fflush(stdout);
  };
  const std::vector<conformance::Result> results = conformance::run(device_of(reference), device_of(subject), how);
  require(!results.empty(), "bench: no kernel has \"{}\" in its name", how.filter);
  fmt::print("{}", conformance::table_failures(results));
  return conformance::all_passed(results) ? 0 : 1;
}

}  // namespace rgm
