// bench_kernels.cpp - `regimen bench --kernels`: every kernel of a backend against the reference, on random shapes.
#include "cli/bench.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "conformance/conformance.hpp"
#include "plugins/minimal_host.hpp"
#include "plugins/options.hpp"
#include "plugins/registry.hpp"

namespace rgm {
namespace {

std::string last_error() {
  const rgm_str text = minimal_host().last_error();
  return {text.data, text.size};
}

class OpenDevice {  // the first device of a backend, with its default options
 public:
  OpenDevice(Registry& registry, const std::string& id) {
    const Component& component = registry.find(RGM_KIND_BACKEND, id);
    Problems problems("");
    config_ = read_options(*component.data, YAML::Node(YAML::NodeType::Null), problems);
    problems.raise();
    device_.table = &component.table<rgm_backend>();
    uint32_t count = 0;
    if (device_.table->device_count(&count) != RGM_OK) failure("backend \"{}\" is not usable: {}", id, last_error());
    if (count == 0) failure("backend \"{}\" is not usable: it finds no device", id);
    if (device_.table->open(0, config_.get(), &device_.device) != RGM_OK)
      failure("backend \"{}\" could not be opened: {}", id, last_error());
  }
  ~OpenDevice() {
    if (device_.device) device_.table->close(device_.device);
  }
  OpenDevice(const OpenDevice&) = delete;
  OpenDevice& operator=(const OpenDevice&) = delete;
  const conformance::Device& get() const { return device_; }

 private:
  std::unique_ptr<rgm_config> config_;
  conformance::Device device_;
};

}  // namespace

int bench_kernels(const KernelBench& options) {
  require(options.cases > 0, "bench: --cases is {}, expected at least 1", options.cases);
  require(options.seed >= 0, "bench: --seed is {}, expected at least 0", options.seed);
  Registry registry;
  require(!options.backend.empty(), "bench: which backend? --backend ID, with one of: {}",
          fmt::join(registry.ids(RGM_KIND_BACKEND), ", "));
  conformance::Options how;
  how.seed = static_cast<uint64_t>(options.seed);
  how.cases_per_kernel = options.cases;
  how.filter = options.only;
  how.last_error = last_error;
  const OpenDevice reference(registry, "reference");
  const OpenDevice subject(registry, options.backend);
  const std::vector<conformance::Result> results = conformance::run(reference.get(), subject.get(), how);
  require(!results.empty(), "bench: no kernel has \"{}\" in its name", how.filter);
  fmt::print("{}", conformance::table(results));
  return conformance::all_passed(results) ? 0 : 1;
}

}  // namespace rgm
