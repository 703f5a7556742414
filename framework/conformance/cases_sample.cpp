// cases_sample.cpp - tokens drawn from log-probabilities: limits of every kind, equal ones, flat and steep rows.
#include <fmt/format.h>

#include <cmath>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

void sample(Trial& t) {
  const int64_t B = t.pick(1, 5), V = t.one_of({1, 2, 65, 257, 1000, 5000, 60000});
  const int64_t top_k = t.one_of({0, 0, 1, 2, 40, 300});
  const double top_p = t.one_of({1.0, 1.0, 0.37, 0.83}), spread = t.one_of({0.0, 3.0, 12.0});
  const double log_min_p = t.one_of({1.0, 1.0, 0.0, -1.0, -3.0});  // 1: no limit; 0: equal to the likeliest
  t.say(fmt::format("top_k {} top_p {} min_p {} spread {}", top_k, top_p, log_min_p > 0 ? 0 : std::exp(log_min_p),
                    spread));
  // About as likely as the share of each, in steps that many have in common.
  const double steps = t.one_of({1.0, 1e6}), share = -std::log(static_cast<double>(V));
  const Trial::Fill values = [&t, spread, steps, share] {
    return std::min(share + 1 - std::floor(t.uniform(0, spread) * steps) / steps, -1e-3);
  };
  const double strange = t.index % 6 != 5 ? 0 : t.one_of({NAN, -INFINITY});  // now and then, or everywhere
  const double how_often = t.chance(0.3) ? 1 : 1.5 / static_cast<double>(V);
  const Trial::Fill some = [&t, values, strange, how_often] {
    return strange != 0 && t.chance(how_often) ? strange : values();
  };
  const int64_t last = t.index % 7 == 3 ? t.pick(-1, 0) : INT32_MAX;  // -1 is 2^32 - 1, the last part
  const Arg x = t.in({B, V}, some), draws = t.in({B}, t.integers(last == INT32_MAX ? INT32_MIN : last, last), RGM_I32);
  const Arg tokens = t.out({B}, RGM_I32), logprobs = t.out({B});
  t.exact = true;
  t.must_refuse = t.index < 2;
  const uint32_t features = t.must_refuse ? 1u << 31 : log_min_p > 0 ? 0 : uint32_t{RGM_SAMPLE_MIN_P};
  t.run(&rgm_kernels::sample, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_sample args{sizeof(rgm_sample), features,  top_k,       top_p,    v(x),
                          v(draws),           v(tokens), v(logprobs), log_min_p};
    return f(q, &args);
  });
}

}  // namespace

Kernels sample_cases() { return {{"sample", false, 48, sample}}; }

}  // namespace rgm::conformance
