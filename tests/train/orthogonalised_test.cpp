// orthogonalised_test.cpp - Newton and Schulz's iteration against plain loops, and the size of Muon's updates.
#include <cmath>

#include "matrices.hpp"
#include "train/muon.hpp"

namespace rgm::test {
namespace {

Matrix product(const Matrix& x, const Matrix& y) {
  Matrix out(x.size(), std::vector<double>(y[0].size(), 0));
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < y[0].size(); ++j)
      for (size_t k = 0; k < y.size(); ++k) out[i][j] += x[i][k] * y[k][j];
  return out;
}
Matrix turned(const Matrix& x) {
  Matrix out(x[0].size(), std::vector<double>(x.size()));
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < x[0].size(); ++j) out[j][i] = x[i][j];
  return out;
}

// Jordan et al. 2024: of X over its norm, so often X = a X + (b A + c A A) X with A = X X^T, whatever the shape.
Matrix plainly_orthogonalised(Matrix x, int64_t steps) {
  double squares = 0;
  for (const auto& row : x)
    for (const double v : row) squares += v * v;
  for (auto& row : x)
    for (double& v : row) v /= std::sqrt(squares);
  for (int64_t step = 0; step < steps; ++step) {
    const Matrix gram = product(x, turned(x)), square = product(gram, gram);
    Matrix polynomial = gram;
    for (size_t i = 0; i < gram.size(); ++i)
      for (size_t j = 0; j < gram.size(); ++j) polynomial[i][j] = -4.7750 * gram[i][j] + 2.0315 * square[i][j];
    const Matrix rest = product(polynomial, x);
    for (size_t i = 0; i < x.size(); ++i)
      for (size_t j = 0; j < x[0].size(); ++j) x[i][j] = 3.4445 * x[i][j] + rest[i][j];
  }
  return x;
}

class Orthogonalised : public TensorTest {};

TEST_F(Orthogonalised, IsWhatPlainLoopsMakeOfEveryShape) {
  for (const Shape& shape : {Shape{3, 5}, Shape{5, 3}, Shape{4, 4}, Shape{1, 6}, Shape{6, 1}}) {
    const Tensor x = sample(shape, 3);
    for (const int64_t steps : {1, 5})
      expect_matrix(orthogonalised(x, steps), plainly_orthogonalised(matrix_of(x), steps), 2e-5);
  }
}

// Those of a matrix with two rows are the roots of the eigenvalues of X X^T, here 9 and 1.5.
TEST_F(Orthogonalised, BringsSingularValuesNearOne) {
  const auto singular_values = [](const Tensor& x) {
    const Matrix rows = matrix_of(x), gram = product(rows, turned(rows));
    const double mean = (gram[0][0] + gram[1][1]) / 2;
    const double half = std::sqrt(mean * mean - gram[0][0] * gram[1][1] + gram[0][1] * gram[1][0]);
    return std::pair(std::sqrt(mean + half), std::sqrt(mean - half));
  };
  const Tensor x = values({2, 1, 0.5F, 1, 2, -0.5F}, {2, 3});
  const auto [large_before, small_before] = singular_values(x);
  EXPECT_NEAR(large_before, 3, 1e-5) << "of (1, 1)";
  EXPECT_NEAR(small_before, std::sqrt(1.5), 1e-5) << "of (1, -1)";
  for (const rgm_dtype dtype : {RGM_F32, RGM_BF16}) {
    const auto [large, small] = singular_values(orthogonalised(x, 5, dtype));
    EXPECT_GT(small, 0.65);
    EXPECT_LT(large, 1.25);
  }
}

TEST_F(Orthogonalised, OfNothingIsNothing) {
  for (const float found : to_host(orthogonalised(ops::full({2, 3}, 0), 5))) EXPECT_EQ(found, 0);
}

TEST_F(Orthogonalised, AnUpdateIsAsLargeAsThoseOfAdamW) {
  EXPECT_DOUBLE_EQ(muon_scale("match_rms_adamw", 100, 25), 2);
  EXPECT_DOUBLE_EQ(muon_scale("match_rms_adamw", 25, 100), 2);
  EXPECT_DOUBLE_EQ(muon_scale("original", 100, 25), 2) << "of outputs by inputs";
  EXPECT_DOUBLE_EQ(muon_scale("original", 25, 100), 1);
}

}  // namespace
}  // namespace rgm::test
