// verdict.hpp - what the answers of all rows come to: accuracy with its interval, chance, and who was taken for what.
#pragma once
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

struct Interval {
  double low, high;
};

// Of a share k / n at 95 % (Wilson, J. Am. Stat. Assoc. 22, 1927): for small n and shares near 0 and 1 as well.
inline Interval wilson(double k, double n) {
  constexpr double z = 1.959964;
  const double p = k / n, scale = 1 + z * z / n, middle = (p + z * z / (2 * n)) / scale;
  const double half = z / scale * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {middle - half, middle + half};
}

class Verdict {
 public:
  void add(const std::string& truth, const std::string& answer) {
    ++confusion_[truth][answer];
    ++count_;
    right_ += truth == answer;
  }
  double count() const { return count_; }
  double accuracy() const { return right_ / count_; }
  Interval interval() const { return wilson(right_, count_); }
  // Of whoever always gives the most frequent answer.
  double chance() const {
    double most = 0;
    for (const auto& [truth, answers] : confusion_) {
      double n = 0;
      for (const auto& [answer, times] : answers) n += times;
      most = std::max(most, n);
    }
    return most / count_;
  }
  // No better than chance, as far as so many rows can tell.
  bool is_at_chance() const { return interval().low <= chance() && !is_below_chance(); }
  bool is_below_chance() const { return interval().high < chance(); }
  const std::map<std::string, std::map<std::string, double>>& confusion() const { return confusion_; }

 private:
  std::map<std::string, std::map<std::string, double>> confusion_;  // by truth, then by answer
  double count_ = 0, right_ = 0;
};
