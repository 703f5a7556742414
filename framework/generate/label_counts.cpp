// label_counts.cpp - precision, recall and F1 from counts.
#include "generate/label_counts.hpp"

namespace rgm {
namespace {

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

LabelCounts::LabelCounts(size_t labels)
    : predicted_(labels), support_(labels), right_(labels), matrix_(labels <= most_in_matrix ? labels * labels : 0) {}

void LabelCounts::add(size_t predicted, std::optional<size_t> truth) {
  ++predicted_[predicted];
  if (!truth) return;
  ++support_[*truth];
  right_[predicted] += *truth == predicted;
  if (!matrix_.empty()) ++matrix_[*truth * labels() + predicted];
}

LabelScore LabelCounts::score(size_t label) const {
  return {.precision = share(right_[label], predicted_[label]),
          .recall = share(right_[label], support_[label]),
          .f1 = share(2 * right_[label], predicted_[label] + support_[label]),
          .support = support_[label]};
}

double LabelCounts::macro_f1() const {
  double sum = 0, count = 0;
  for (size_t i = 0; i < labels(); ++i) {
    if (predicted_[i] + support_[i] == 0) continue;
    sum += score(i).f1;
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

std::span<const int64_t> LabelCounts::matrix_row(size_t label) const {
  if (matrix_.empty()) return {};
  return std::span(matrix_).subspan(label * labels(), labels());
}

}  // namespace rgm
