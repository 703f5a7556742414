// report_chart.hpp - a line chart as HTML: an SVG that stretches with the page, and labels that do not.
#pragma once
#include <string>
#include <vector>

#include "train/report_axis.hpp"

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

// Axes with their grid and labels around `shapes`, an SVG's content in 0 to 1000 both ways, y downwards; `names` lies
// on top as HTML.
std::string frame(const Axis& x, const Axis& y, const std::string& shapes, const std::string& name,
                  const std::string& names = "");

// The mean over a window around each value that shrinks at both ends; gaps are left out of it.
std::vector<double> smooth(const std::vector<double>& y, size_t radius);
// At most about 2 `buckets` values: of each bucket the least and the greatest, in their order, so no spike is lost.
Line thin(const Line& line, size_t buckets);

}  // namespace rgm::report
