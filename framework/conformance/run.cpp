// run.cpp - all cases of all kernels, and the table of what came out.
#include <fmt/format.h>

#include <algorithm>

#include "judge.hpp"

namespace rgm::conformance {

namespace {

// Without these dtypes every case would be skipped and nothing would be wrong.
Result device_case(const Device& subject) {
  Result result{"device", "lists f32, i32 and bool", true, false, 0, 0, {}, false};
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
  const auto tell = [&](size_t first) {
    if (options.after && first < results.size()) options.after(std::span(results).subspan(first));
  };
  const bool device_is_meant = results[0].kernel.find(options.filter) != std::string::npos;
  if (device_is_meant) tell(0);
  for (const auto& group :
       {elementwise_cases(), reduction_cases(), product_cases(), index_cases(), random_cases(), norm_cases(),
        attention_cases(), head_cases(), optimizer_cases(), sample_cases(), quantized_cases()})
    for (const Kernel& kernel : group) {
      if (std::string_view(kernel.name).find(options.filter) == std::string_view::npos) continue;
      const size_t first = results.size();
      for (int i = 0; i < std::max(options.cases_per_kernel, kernel.at_least); i += options.step) {
        Trial trial(options.seed, kernel.name, i);
        kernel.make(trial);
        if (options.before) options.before(fmt::format("{} #{} {}", kernel.name, i, trial.name));
        results.push_back(judge(reference, subject, kernel, trial, options));
      }
      tell(first);
    }
  if (captures(subject) && std::string_view("capture").find(options.filter) != std::string_view::npos) {
    results.push_back(capture_case(subject));
    tell(results.size() - 1);
  }
  // The device comes along with its kernels; where none is meant, nothing was compared.
  if (results.size() == 1 && !device_is_meant) results.clear();
  return results;
}

bool all_passed(std::span<const Result> results) {
  return std::all_of(results.begin(), results.end(), [](const Result& r) { return r.passed; });
}

std::string table_heading() {
  return fmt::format("{:16} {:>7} {:>8} {:>7} {:>12}\n", "kernel", "passed", "composed", "failed", "worst");
}

std::string table_line(std::span<const Result> of_one_kernel) {
  int passed = 0, skipped = 0, failed = 0;
  double worst = 0;
  for (const Result& r : of_one_kernel) {
    ++(r.skipped ? skipped : r.passed ? passed : failed);
    worst = std::max(worst, r.error);
  }
  return fmt::format("{:16} {:7} {:8} {:7} {:12.3g}\n", of_one_kernel.front().kernel, passed, skipped, failed, worst);
}

std::string table_failures(std::span<const Result> results) {
  std::string out;
  for (const Result& r : results)
    if (!r.passed)
      out += fmt::format("FAILED {} {}\n  error {:.3g}, tolerance {:.3g}: {}\n", r.kernel, r.case_, r.error,
                         r.tolerance, r.reason);
  return out;
}

std::string table(std::span<const Result> results) {
  std::string out = table_heading();
  for (size_t first = 0, end = 0; first < results.size(); first = end) {
    while (end < results.size() && results[end].kernel == results[first].kernel) ++end;
    out += table_line(results.subspan(first, end - first));
  }
  return out + table_failures(results);
}

}  // namespace rgm::conformance
