// matrices.hpp - tensors of two axes as nested vectors, for plain loops.
#pragma once
#include <vector>

#include "model/small.hpp"

namespace rgm::test {

using Matrix = std::vector<std::vector<double>>;

inline Matrix matrix_of(const Tensor& x) {
  const std::vector<float> flat = to_host(x);
  const auto columns = static_cast<size_t>(x.size(1));
  Matrix out;
  for (size_t i = 0; i < flat.size(); i += columns)
    out.emplace_back(flat.begin() + static_cast<std::ptrdiff_t>(i),
                     flat.begin() + static_cast<std::ptrdiff_t>(i + columns));
  return out;
}

inline void expect_matrix(const Tensor& found, const Matrix& wanted, double tolerance = 1e-5) {
  const Matrix values = matrix_of(found);
  ASSERT_EQ(values.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i)
    for (size_t j = 0; j < wanted[0].size(); ++j) EXPECT_NEAR(values[i][j], wanted[i][j], tolerance) << i << ", " << j;
}

}  // namespace rgm::test
