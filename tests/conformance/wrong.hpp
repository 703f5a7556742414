// wrong.hpp - a backend that is the reference but for what a test breaks, and how many cases of a kernel notice.
#pragma once
#include <algorithm>
#include <vector>

#include "loader.hpp"

namespace rgm::conformance {

// A copy of the reference's tables, to be made wrong.
class Wrong : public ::testing::Test {
 protected:
  Wrong() {
    broken() = reference_.kernels();
    good() = reference_.kernels();
    backend_ = *reference_.opened.table;
    backend_.kernels = [](rgm_device*) -> const rgm_kernels* { return &broken(); };
  }
  static rgm_kernels& broken() {
    static rgm_kernels kernels;
    return kernels;
  }
  static rgm_kernels& good() {
    static rgm_kernels kernels;
    return kernels;
  }
  std::vector<Result> check(const char* kernel) {
    const Device subject{&backend_, reference_.opened.device, 0};
    Options options = with_errors();
    options.filter = kernel;
    return run(reference_.opened, subject, options);
  }
  static size_t failures(const std::vector<Result>& results) {
    return static_cast<size_t>(std::count_if(results.begin(), results.end(), [](auto& r) { return !r.passed; }));
  }

  Backend reference_{"reference"};
  rgm_backend backend_{};
};

}  // namespace rgm::conformance
