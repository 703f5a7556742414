// conformance.hpp - is a backend right? Runs every kernel of a subject beside the reference's on random shapes,
// strides, dtypes and features, with fixed seeds, and reports each case. Knows kernels.h and nothing of any backend.
#pragma once
#include <regimen/abi.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace rgm::conformance {

struct Device {  // an opened one; the caller closes it
  const rgm_backend* table = nullptr;
  rgm_device* device = nullptr;
  uint32_t index = 0;  // that it was opened with
};

struct Result;

struct Options {
  uint64_t seed = 1;
  int cases_per_kernel = 24;  // at least; kernels with many operations or features get a case for each
  int step = 1;               // each n-th of them
  std::string filter{};       // only kernels whose name contains it
  std::function<void(const std::string& what)> before{};  // told of each case before it runs
  std::function<void(std::span<const Result>)> after{};   // and, when all of a kernel have run, of theirs
  std::function<std::string()> last_error{};              // what the host keeps of a failure, to say it in `reason`
};

// passed: right, or skipped. skipped: an optional kernel or dtype that the host composes.
// error: max |subject - reference| / max(max |reference|, 0.1) of the output that is worst against its tolerance: 1e-4
// for float32, 2e-2 where bfloat16 takes part, 4e-3 float16, 0 where a kernel only copies. Integers must be equal. For
// attention_grad the 0.1 is 1: its terms are of that size and may cancel to nothing.
struct Result {
  std::string kernel, case_;
  bool passed = false, skipped = false;
  double error = 0, tolerance = 0;
  std::string reason{};
  bool is_new = false;  // of what the contract has said only lately: a backend that was right before may fail it
};

std::vector<Result> run(const Device& reference, const Device& subject, const Options& options = {});

bool all_passed(std::span<const Result> results);
// For people: a line a kernel with counts and the worst error, then every failed case with its reason. All of it is
// the heading, the lines and the failures.
std::string table(std::span<const Result> results);
std::string table_heading();
std::string table_line(std::span<const Result> of_one_kernel);
std::string table_failures(std::span<const Result> results);

}  // namespace rgm::conformance
