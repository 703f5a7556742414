// reduce.cpp - sum, mean, maximum and log-sum-exp over any axes; y keeps the rank, with 1 where x is summed up.
// Of no elements: sum 0, mean NaN, maximum and log-sum-exp -infinity.
#include "kernels.hpp"
#include "numbers.hpp"

namespace regimen::reference {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// body(x) for the elements that `rows` names, from offset `base`
template <class F>
void each_element(const rgm_view& x, const Rows<1>& rows, int64_t base, F&& body) {
  double buffer[chunk];
  rows.each([&](auto at, int64_t n, auto step) {
    for (int64_t done = 0; done < n; done += chunk) {
      const int64_t some = std::min(chunk, n - done);
      load(x, base + at[0] + done * step[0], some, step[0], buffer);
      for (int64_t i = 0; i < some; ++i) body(buffer[i]);
    }
  });
}

double reduced(int32_t op, const rgm_view& x, const Rows<1>& rows, int64_t base) {
  double sum = 0, largest = -infinity;
  switch (op) {
    case RGM_SUM:
    case RGM_MEAN:
      each_element(x, rows, base, [&](double v) { sum += v; });
      return op == RGM_SUM ? sum : sum / static_cast<double>(rows.size() * rows.length());
    default:
      each_element(x, rows, base, [&](double v) { largest = v > largest || v != v ? v : largest; });
      if (op == RGM_MAXIMUM || std::isinf(largest)) return largest;  // also keeps inf - inf away
      each_element(x, rows, base, [&](double v) { sum += std::exp(v - largest); });
      return largest + std::log(sum);
  }
}

}  // namespace

rgm_status reduce(rgm_queue*, int32_t op, uint32_t axes, const rgm_view* x, const rgm_view* y) {
  return guard([&] {
    if (op < RGM_SUM || op > RGM_LOGSUMEXP) unsupported("reduce: operation " + std::to_string(op));
    rgm_view kept = *x, folded = *x;
    for (int32_t i = 0; i < x->rank; ++i) (axes >> i & 1 ? kept : folded).shape[i] = 1;
    require(same_shape(kept, *y), "reduce: y has the shape of x, with 1 where an axis is reduced");
    const Rows<1> rows({&folded});
    Rows<2>({&kept, y}).each([&](auto at, int64_t n, auto step) {
      for (int64_t i = 0; i < n; ++i) put(*y, at[1] + i * step[1], reduced(op, *x, rows, at[0] + i * step[0]));
    });
  });
}

}  // namespace regimen::reference
