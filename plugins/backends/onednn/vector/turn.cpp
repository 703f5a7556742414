// turn.cpp - matrices are transposed: rows of x before a product, and rows of a weight into the columns of a panel.
#include "kernels.hpp"
#include "product.hpp"
#include "transpose.hpp"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
constexpr int64_t kWords = 64;  // pairs of bfloat16 of each row at once, which stay in the first cache

// Two neighbours of a row travel as one word, and part at their goal.
void turn_pairs(const uint16_t* w, int64_t w_row, int64_t rows, int64_t columns, uint16_t* y) {
  uint32_t words[kWords * kPanel];
  for (int64_t k = 0; k < columns; k += 2 * kWords) {
    const int64_t n = columns - k < 2 * kWords ? (columns - k) / 2 : kWords;
    turn(reinterpret_cast<const float*>(w + k), w_row / 2, rows, n, reinterpret_cast<float*>(words), kPanel);
    uint16_t* to = y + k * kPanel;
    for (int64_t i = 0; i < n; ++i, to += 2 * kPanel)
      for (int64_t j = 0; j < rows; ++j) {
        const uint32_t word = words[i * kPanel + j];
        to[j] = static_cast<uint16_t>(word);
        to[kPanel + j] = static_cast<uint16_t>(word >> 16);
      }
  }
}
}  // namespace

void turn(const float* x, int64_t x_row, int64_t rows, int64_t columns, float* y, int64_t y_row) {
  for (int64_t i = 0; i < rows; i += kLanes)
    transpose_strip(x + i * x_row, x_row, rows - i < kLanes ? rows - i : kLanes, columns, y + i, y_row);
}

void fill_panel(const void* w, int64_t w_row, int64_t rows, int64_t columns, bool narrow, void* y) {
  if (!narrow) return turn(static_cast<const float*>(w), w_row, rows, columns, static_cast<float*>(y), kPanel);
  const auto* from = static_cast<const uint16_t*>(w);
  auto* to = static_cast<uint16_t*>(y);
  if (w_row % 2 == 0 && columns % 2 == 0) return turn_pairs(from, w_row, rows, columns, to);
  for (int64_t j = 0; j < rows; ++j)
    for (int64_t k = 0; k < columns; ++k) to[k * kPanel + j] = from[j * w_row + k];
}

}  // namespace regimen::onednn::ONEDNN_ISA
