// bench.cpp - `regimen bench --kernels`: every kernel of a backend against the reference, on random shapes.
#include <fmt/format.h>

#include <cstdio>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
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

int bench(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options;
  options.add_options()("kernels", "compare kernels")  //
      ("backend", po::value<std::string>()->value_name("ID"), "the backend to look at")(
          "only", po::value<std::string>()->value_name("TEXT"), "kernels with this in their name")(
          "cases", po::value<int>()->value_name("N")->default_value(24), "at least so many for each kernel")(
          "seed", po::value<int64_t>()->value_name("N")->default_value(1), "of the random shapes and values");
  const auto given = cli::parse(
      {.command = "bench",
       .line = "--kernels --backend ID [--only TEXT] [--cases N] [--seed N]",
       .text = "Runs every kernel of a backend beside the reference's on random shapes, strides, types and features.\n"
               "Exit status 1 when one of them is wrong.",
       .example = "regimen bench --kernels --backend onednn"},
      options, arguments);
  if (!given) return 0;
  require(given->count("kernels") > 0, "bench: say what to look at, as in `regimen bench --kernels --backend onednn`");
  Registry registry;
  require(given->count("backend") > 0, "bench: which backend? --backend ID, with one of: {}",
          fmt::join(registry.ids(RGM_KIND_BACKEND), ", "));
  require((*given)["cases"].as<int>() > 0, "bench: --cases is {}, expected at least 1", (*given)["cases"].as<int>());
  const auto seed = (*given)["seed"].as<int64_t>();
  require(seed >= 0, "bench: --seed is {}, expected at least 0", seed);

  conformance::Options how;
  how.seed = static_cast<uint64_t>(seed);
  how.cases_per_kernel = (*given)["cases"].as<int>();
  if (given->count("only")) how.filter = (*given)["only"].as<std::string>();
  how.last_error = last_error;
  const OpenDevice reference(registry, "reference");
  const OpenDevice subject(registry, (*given)["backend"].as<std::string>());
  const std::vector<conformance::Result> results = conformance::run(reference.get(), subject.get(), how);
  require(!results.empty(), "bench: no kernel has \"{}\" in its name", how.filter);
  fmt::print("{}", conformance::table(results));
  return conformance::all_passed(results) ? 0 : 1;
}

}  // namespace rgm
