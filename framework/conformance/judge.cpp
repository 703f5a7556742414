// judge.cpp - right means: every output near the reference's, nothing else touched, the same bits twice, refusals only
// where a refusal is allowed and then without any effect; an index that is outside is found.
#include "judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace rgm::conformance {
namespace {

// Bytes of `array` that no element of its view covers, or all when it is an input
bool only_view_changed(const Array& array, const Bytes& after) {
  Bytes before = array.initial;
  if (array.written)
    each_element(array.view, [&](int64_t at) {
      const size_t size = size_of(array.view.dtype), from = static_cast<size_t>(array.offset + at) * size;
      std::copy_n(after.begin() + static_cast<ptrdiff_t>(from), size, before.begin() + static_cast<ptrdiff_t>(from));
    });
  return before == after;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// Fills in error, and reason when an output is wrong.
void compare(const Trial& t, size_t number, const Outcome& expected, const Outcome& got, Result& result) {
  const Array& array = t.arrays[number];
  double magnitude = t.least, worst = 0;
  std::string wrong;
  each_element(array.view, [&](int64_t at) {
    const double want = array.get(expected.memory[number], at), have = array.get(got.memory[number], at);
    if (std::isfinite(want)) magnitude = std::max(magnitude, std::abs(want));
    if (same(want, have)) return;
    const bool near = is_float(array.view.dtype) && std::isfinite(want) && std::isfinite(have);
    const double difference = near ? std::abs(want - have) : INFINITY;
    if (difference > worst) wrong = fmt::format("argument {}: {} where {} was expected", number, have, want);
    worst = std::max(worst, difference);
  });
  // The output that stands worst against its tolerance is the one reported.
  const double error = worst / magnitude, tolerance = t.tolerance(number);
  if (error * result.tolerance > result.error * tolerance || result.tolerance == 0)
    result.error = error, result.tolerance = tolerance;
  if (error > tolerance && result.reason.empty()) result.reason = wrong;
}

Result& fail(Result& result, std::string reason) {
  result.passed = false;
  result.reason = std::move(reason);
  return result;
}

Result& refused(Result& result, bool required, const std::string& reason) {
  if (required) return fail(result, "a required kernel refuses: " + reason);
  result.passed = result.skipped = true;
  result.reason = "composed by the host: " + reason;
  return result;
}

}  // namespace

Result judge(const Device& reference, const Device& subject, const Kernel& kernel, Trial& t, const Options& options) {
  Result result{kernel.name, fmt::format("#{} {}", t.index, t.name), true, false, 0, 0, {}, t.is_new};
  const bool required = kernel.required && !t.optional;

  rgm_device_info info{};
  info.struct_size = sizeof info;
  if (subject.table->device_info(subject.index, &info) != RGM_OK) return fail(result, "device_info fails");
  if ((t.dtypes & info.dtypes) != t.dtypes) return refused(result, false, "a dtype that the device does not list");
  if (!t.offered(*subject.table->kernels(subject.device))) return refused(result, required, "not in the table");

  if (t.preparation) {
    Outcome ready = execute(reference, t, t.preparation, options);
    if (ready.status != RGM_OK) return fail(result, "the reference cannot prepare the case: " + ready.reason);
    for (size_t i = 0; i < t.arrays.size(); ++i)
      if (!t.arrays[i].written) t.arrays[i].initial = std::move(ready.memory[i]);
  }

  const Outcome got = execute(subject, t, t.call, options);
  if (got.status != RGM_OK)
    for (size_t i = 0; i < t.arrays.size(); ++i)
      if (t.is_outside && got.at_wait ? !only_view_changed(t.arrays[i], got.memory[i])
                                      : got.memory[i] != t.arrays[i].initial)
        return fail(result, fmt::format("argument {} was changed by a call that failed: {}", i, got.reason));
  if (t.must_refuse)
    return got.status == RGM_UNSUPPORTED ? result : fail(result, "an unknown feature bit must be RGM_UNSUPPORTED");
  if (got.status == RGM_UNSUPPORTED) return refused(result, required, got.reason);
  if (t.is_outside && got.status == RGM_OK)
    return fail(result,
                "an index outside its axis was accepted: it must be RGM_INVALID, from the call or from the next wait");
  if (t.is_outside && got.status == RGM_INVALID) return result;
  if (got.status != RGM_OK) return fail(result, got.reason);

  const Outcome expected = execute(reference, t, t.call, options);
  if (expected.status != RGM_OK) return fail(result, "the reference fails: " + expected.reason);
  for (size_t i = 0; i < t.arrays.size(); ++i) {
    if (!only_view_changed(t.arrays[i], got.memory[i]))
      return fail(result, fmt::format("argument {}: memory that is not an output was written", i));
    if (t.arrays[i].written) compare(t, i, expected, got, result);
  }
  result.passed = result.reason.empty();
  if (result.passed && execute(subject, t, t.call, options).memory != got.memory)
    return fail(result, "a second call gave different bits");
  return result;
}

}  // namespace rgm::conformance
