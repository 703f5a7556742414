// run.cpp - all cases of all kernels, and the table of what came out.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "judge.hpp"

namespace rgm::conformance {

namespace {

// Without these dtypes every case would be skipped and nothing would be wrong.
Result device_case(const Device& subject) {
  Result result{"device", "lists f32, i32 and bool", true, false, 0, 0, {}};
  rgm_device_info info{};
  info.struct_size = sizeof info;
  constexpr uint32_t needed = 1u << RGM_F32 | 1u << RGM_I32 | 1u << RGM_BOOL;
  result.passed = subject.table->device_info(subject.index, &info) == RGM_OK && (info.dtypes & needed) == needed;
  if (!result.passed) result.reason = "required dtypes are missing";
  return result;
}

}  // namespace

std::vector<Result> run(const Device& reference, const Device& subject, const Options& options) {
  std::vector<Result> results = {device_case(subject)};
  const bool device_is_meant = results[0].kernel.find(options.filter) != std::string::npos;
  for (const auto& group : {elementwise_cases(), reduction_cases(), product_cases(), index_cases(), random_cases(),
                            norm_cases(), attention_cases(), head_cases(), optimizer_cases(), sample_cases()})
    for (const Kernel& kernel : group) {
      if (std::string_view(kernel.name).find(options.filter) == std::string_view::npos) continue;
      for (int i = 0; i < std::max(options.cases_per_kernel, kernel.at_least); i += options.step) {
        Trial trial(options.seed, kernel.name, i);
        kernel.make(trial);
        if (options.before) options.before(fmt::format("{} #{} {}", kernel.name, i, trial.name));
        results.push_back(judge(reference, subject, kernel, trial, options));
      }
    }
  if (captures(subject) && std::string_view("capture").find(options.filter) != std::string_view::npos)
    results.push_back(capture_case(subject));
  // The device comes along with its kernels; where none is meant, nothing was compared.
  if (results.size() == 1 && !device_is_meant) results.clear();
  return results;
}

bool all_passed(std::span<const Result> results) {
  return std::all_of(results.begin(), results.end(), [](const Result& r) { return r.passed; });
}

std::string table(std::span<const Result> results) {
  struct Line {
    int passed = 0, skipped = 0, failed = 0;
    double worst = 0;
  };
  std::vector<std::string> order;
  std::map<std::string, Line> lines;
  for (const Result& r : results) {
    if (!lines.contains(r.kernel)) order.push_back(r.kernel);
    Line& line = lines[r.kernel];
    ++(r.skipped ? line.skipped : r.passed ? line.passed : line.failed);
    line.worst = std::max(line.worst, r.error);
  }
  std::string out = fmt::format("{:16} {:>7} {:>8} {:>7} {:>12}\n", "kernel", "passed", "composed", "failed", "worst");
  for (const std::string& kernel : order) {
    const Line& line = lines[kernel];
    out += fmt::format("{:16} {:7} {:8} {:7} {:12.3g}\n", kernel, line.passed, line.skipped, line.failed, line.worst);
  }
  for (const Result& r : results)
    if (!r.passed)
      out += fmt::format("FAILED {} {}\n  error {:.3g}, tolerance {:.3g}: {}\n", r.kernel, r.case_, r.error,
                         r.tolerance, r.reason);
  return out;
}

}  // namespace rgm::conformance
