// top_k.cpp - the k largest of the last axis, falling; equal ones in the order of their index, NaN behind all others.
// k is the last size of y and index.
#include <numeric>

#include "kernels.hpp"
#include "numbers.hpp"

namespace regimen::reference {

rgm_status top_k(rgm_queue*, const rgm_view* x, const rgm_view* y, const rgm_view* index) {
  return guard([&] {
    require(x->rank > 0 && same_shape(*y, *index) && y->rank == x->rank, "top_k: x, y and index have one rank");
    const int32_t last = x->rank - 1;
    const int64_t n = x->shape[last], k = y->shape[last];
    require(k <= n, "top_k: " + std::to_string(k) + " of " + std::to_string(n) + " elements");
    std::vector<double> line(static_cast<size_t>(n)), values(static_cast<size_t>(k));
    std::vector<int64_t> order(static_cast<size_t>(n));
    const auto before = [&](int64_t i, int64_t j) {
      const double a = line[static_cast<size_t>(i)], b = line[static_cast<size_t>(j)];
      if (std::isnan(a) != std::isnan(b)) return std::isnan(b);
      return a > b || (!(a < b) && i < j);
    };
    const rgm_view of_x = without_axis(*x, last), of_y = without_axis(*y, last), of_i = without_axis(*index, last);
    Rows<3>({&of_x, &of_y, &of_i}).each([&](auto at, int64_t lines, auto step) {
      for (int64_t l = 0; l < lines; ++l) {
        load(*x, at[0] + l * step[0], n, x->stride[last], line.data());
        std::iota(order.begin(), order.end(), 0);
        std::partial_sort(order.begin(), order.begin() + k, order.end(), before);
        for (size_t i = 0; i < values.size(); ++i) values[i] = line[static_cast<size_t>(order[i])];
        store(*y, at[1] + l * step[1], k, y->stride[last], values.data());
        store(*index, at[2] + l * step[2], k, index->stride[last], order.data());
      }
    });
  });
}

}  // namespace regimen::reference
