// report_chart.hpp - a line chart as HTML: an SVG that stretches with the page, and labels that do not.
#pragma once
#include <string>
#include <vector>

namespace rgm::report {

struct Line {
  std::vector<double> x, y;  // y may hold NaN: a gap
  void add(double step, double value) {
    x.push_back(step);
    y.push_back(value);
  }
  bool empty() const { return x.empty(); }
};

struct Chart {
  std::string title;  // plain text
  Line line;
  Line points;             // drawn as dots: held-out data
  bool prominent = false;  // the large one: the line is faint, its smoothed course in front
};

// Empty where there is nothing to draw. Any number of points becomes at most some hundreds.
std::string draw(const Chart& chart);

// The mean over a window around each value that shrinks at both ends; gaps are left out of it.
std::vector<double> smooth(const std::vector<double>& y, size_t radius);
// At most about 2 `buckets` values: of each bucket the least and the greatest, in their order, so no spike is lost.
Line thin(const Line& line, size_t buckets);

}  // namespace rgm::report
