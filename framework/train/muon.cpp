// muon.cpp - from the products that every backend has. A matrix is worked on in the order in which it lies in memory:
// turned over, it has the same singular values.
#include "train/muon.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/log.hpp"
#include "base/text.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {

std::vector<int64_t> rows_of_parts(const Parameter& p) {
  return p.parts.empty() ? std::vector{p.value.size(0)} : p.parts;
}

void for_each(const OptimizerSpec& optimizer, std::span<Parameters* const> stores, const auto& see) {
  for (const Parameters* store : stores)
    for (const Parameter& p : store->all())
      if (p.trained && !p.buffer && goes_by_muon(optimizer, p)) see(p);
}

}  // namespace

bool goes_by_muon(const OptimizerSpec& optimizer, const Parameter& p) {
  if (optimizer.kind != "muon" || p.value.rank() != 2 || p.scales) return false;
  return std::ranges::any_of(optimizer.matrices, [&](const std::string& pattern) { return matches(pattern, p.name); });
}

// X <- a X + (b A + c A A) X with A = X X^T; for a tall X, from the right with A = X^T X, which is smaller.
Tensor orthogonalised(const Tensor& given, int64_t steps, rgm_dtype dtype) {
  // Of Jordan et al.: small singular values grow fastest, and none converges to 1 exactly.
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315, smallest_norm = 1e-7;
  const bool is_tall = given.size(0) > given.size(1);
  Tensor x = ops::contiguous(given);
  const Tensor norm = ops::unary(RGM_SQRT, ops::sum_of_squares(std::span(&x, 1)));
  x = x / ops::binary(RGM_MAX, norm, ops::full({}, smallest_norm));
  for (int64_t i = 0; i < steps; ++i) {
    const Tensor read = ops::cast(x, dtype);
    const Tensor gram = ops::matmul(read, is_tall, read, !is_tall), gram_read = ops::cast(gram, dtype);
    const Tensor polynomial = ops::cast(ops::matmul(gram_read, false, gram_read, false, c, b * gram), dtype);
    x = is_tall ? ops::matmul(read, false, polynomial, false, 1, a * x)
                : ops::matmul(polynomial, false, read, false, 1, a * x);
  }
  return x;
}

// An update with singular values of 1 has a root mean square of 1 / sqrt(max(rows, columns)).
double muon_scale(const std::string& kind, int64_t rows, int64_t columns) {
  const auto out = static_cast<double>(rows), in = static_cast<double>(columns);
  if (kind == "original") return std::sqrt(std::max(1.0, out / in));
  return 0.2 * std::sqrt(std::max(out, in));  // AdamW's updates have one of 0.2 to 0.4
}

// m = momentum m + (1 - momentum) g; u = momentum m + (1 - momentum) g with Nesterov, else m;
// p = (1 - rate decay) p - rate scale orthogonalised(u)
void step_by_muon(const OptimizerSpec& optimizer, const Parameter& p, const Tensor& m, Tensor gradient,
                  const Tensor& factor, double rate, double weight_decay) {
  const rgm_view& v = p.value.view();
  const bool is_turned = v.stride[0] < v.stride[1];
  const auto in_memory_order = [&](const Tensor& t) { return is_turned ? ops::transpose(t) : t; };
  const Tensor is_taken = ops::binary(RGM_EQUAL, factor, factor);
  const auto take = [&](const Tensor& to, const Tensor& value) { assign(to, ops::select(is_taken, value, to)); };
  const auto mixed = [&](const Tensor& mean, const Tensor& g) {
    return optimizer.momentum * mean + (1 - optimizer.momentum) * g;
  };

  Tensor direction;
  {
    // The gradient's memory serves what follows.
    const Tensor g = in_memory_order(std::exchange(gradient, {})) * factor, mean = in_memory_order(m);
    direction = mixed(mean, g);
    take(mean, direction);
    if (optimizer.nesterov) direction = mixed(direction, g);
  }
  const Tensor weight = in_memory_order(ops::detach(p.value));
  const rgm_dtype dtype = p.half ? RGM_BF16 : RGM_F32;  // as the passes multiply
  int64_t begin = 0;
  for (const int64_t rows : rows_of_parts(p)) {
    const auto part = [&](const Tensor& t) { return ops::slice(t, is_turned ? 1 : 0, begin, begin + rows); };
    const double scale = muon_scale(optimizer.scale, rows, p.value.size(1));
    const Tensor own = part(weight), update = orthogonalised(part(direction), optimizer.newton_schulz_steps, dtype);
    take(own, (1 - rate * weight_decay) * own - (rate * scale) * update);
    begin += rows;
  }
  p.refresh_half();
}

int64_t muon_parameters(const OptimizerSpec& optimizer, std::span<Parameters* const> stores) {
  int64_t n = 0;
  for_each(optimizer, stores, [&](const Parameter& p) { n += p.value.count(); });
  return n;
}

// Of n x k, n <= k: 2 n n k for the Gram matrix, 2 n n n for its square, 2 n n k for the product with X.
double muon_flops(const OptimizerSpec& optimizer, std::span<Parameters* const> stores) {
  double all = 0;
  for_each(optimizer, stores, [&](const Parameter& p) {
    for (const int64_t rows : rows_of_parts(p)) {
      const auto n = static_cast<double>(std::min(rows, p.value.size(1)));
      const auto k = static_cast<double>(std::max(rows, p.value.size(1)));
      all += static_cast<double>(optimizer.newton_schulz_steps) * (4 * n * n * k + 2 * n * n * n);
    }
  });
  return all;
}

void warn_of_matrices(const OptimizerSpec& optimizer, std::span<Parameters* const> stores, const std::string& stage) {
  if (optimizer.kind != "muon") return;
  if (muon_parameters(optimizer, stores) == 0)
    return log::warning("stage \"{}\": optimizer: muon: no trained matrix matches {}, so AdamW updates everything",
                        stage, join(optimizer.matrices));
  if (optimizer.matrices == OptimizerSpec().matrices) return;
  for (const std::string& pattern : optimizer.matrices) {
    OptimizerSpec alone = optimizer;
    alone.matrices = {pattern};
    if (muon_parameters(alone, stores) == 0)
      log::warning("stage \"{}\": optimizer: muon: matrices: \"{}\" is not the name of a trained matrix", stage,
                   pattern);
  }
}

}  // namespace rgm
