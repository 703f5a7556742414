// label_counts.hpp - how often each label was predicted for examples of each label, and what follows from that.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace rgm {

// As scikit-learn defines them; what would be divided by 0 is 0.
struct LabelScore {
  double precision = 0;  // of the examples for which it was predicted, those that have it
  double recall = 0;     // of the examples that have it, those for which it was predicted
  double f1 = 0;         // the harmonic mean of the two
  int64_t support = 0;   // examples that have it
};

class LabelCounts {
 public:
  static constexpr size_t most_in_matrix = 20;

  explicit LabelCounts(size_t labels);
  // `truth` is empty where the data has no labels: then only predicted() says something.
  void add(size_t predicted, std::optional<size_t> truth);
  size_t labels() const { return predicted_.size(); }
  int64_t predicted(size_t label) const { return predicted_[label]; }
  LabelScore score(size_t label) const;
  // The mean of F1 over the labels that some example has, or that were predicted.
  double macro_f1() const;
  // For the examples that have it, how often each label was predicted; empty if there are more than most_in_matrix.
  std::span<const int64_t> matrix_row(size_t label) const;

 private:
  std::vector<int64_t> predicted_, support_, right_;
  std::vector<int64_t> matrix_;  // (labels, labels) or empty
};

}  // namespace rgm
