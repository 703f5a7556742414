// naive_test.cpp - the suite finds formulas that are right on paper alone: functions that overflow or lose their
// digits, an epsilon that is left out, a long sum in float32.
#include <cmath>
#include <vector>

#include "conformance/array.hpp"
#include "wrong.hpp"

namespace rgm::conformance {
namespace {

// As they stand in a textbook, in float32.
float naive(int32_t op, float x) {
  const float e = std::exp(x);
  switch (op) {
    case RGM_TANH: return (e - 1 / e) / (e + 1 / e);
    case RGM_SIGMOID: return e / (1 + e);
    case RGM_SILU: return x * e / (1 + e);
    case RGM_SOFTPLUS: return std::log(1 + e);
    case RGM_EXPM1: return e - 1;
    default: return std::log(1 + x);
  }
}

TEST_F(Wrong, FunctionsThatOverflowOrLoseTheirDigitsFail) {
  static int32_t is_naive;
  broken().unary = [](rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* y) {
    if (op != is_naive || x->dtype != RGM_F32) return good().unary(q, op, x, y);
    std::vector<float> results;
    each_element(*x, [&](int64_t at) { results.push_back(naive(op, static_cast<const float*>(x->data)[at])); });
    auto next = results.begin();
    each_element(*y, [&](int64_t at) { static_cast<float*>(y->data)[at] = *next++; });
    return rgm_status{RGM_OK};
  };
  for (const int32_t op : {RGM_TANH, RGM_SIGMOID, RGM_SILU, RGM_SOFTPLUS, RGM_EXPM1, RGM_LOG1P}) {
    is_naive = op;
    EXPECT_GT(failures(check("unary")), 0u) << op;
  }
}

TEST_F(Wrong, AnAdamwWithAnEpsilonOfItsOwnFails) {
  static float epsilon;
  broken().adamw = [](rgm_queue* q, const rgm_view* hyper, uint32_t n, const rgm_adamw* const* items) {
    std::vector<float> h(static_cast<const float*>(hyper->data), static_cast<const float*>(hyper->data) + 8);
    h[3] = epsilon;
    rgm_view mine = *hyper;
    mine.data = h.data();
    return good().adamw(q, &mine, n, items);
  };
  for (const float wrong : {0.0f, 1e-8f, 1e-5f}) {
    epsilon = wrong;
    EXPECT_GT(failures(check("adamw")), 0u) << wrong;
  }
}

TEST_F(Wrong, ANormWithoutEpsilonFails) {
  broken().norm = [](rgm_queue* q, const rgm_norm* args) {
    rgm_norm mine = *args;
    mine.epsilon = 0;
    return good().norm(q, &mine);
  };
  size_t of_means = 0, of_others = 0;
  for (const Result& r : check("norm"))
    if (!r.passed) ++(r.case_.find("features 0x1 ") != std::string::npos ? of_means : of_others);
  EXPECT_GT(of_means, 0u) << "layer norm";
  EXPECT_GT(of_others, 0u) << "root-mean-square norm";
}

TEST_F(Wrong, ALongSumOfSquaresInFloat32Fails) {
  broken().sum_of_squares = [](rgm_queue*, uint32_t n, const rgm_view* const* xs, const rgm_view* y) {
    float sum = 0;
    for (uint32_t i = 0; i < n; ++i)
      each_element(*xs[i], [&](int64_t at) {
        const float x = static_cast<const float*>(xs[i]->data)[at];
        sum += x * x;
      });
    *static_cast<float*>(y->data) = sum;
    return rgm_status{RGM_OK};
  };
  EXPECT_EQ(failures(check("sum_of_squares")), 1u);
}

}  // namespace
}  // namespace rgm::conformance
