// report_scatter.hpp - points with names and intervals, for what differs between stages instead of over steps.
#pragma once
#include <string>
#include <vector>

namespace rgm::report {

struct Spot {
  double x, y;
  double low, high;  // an interval of y; equal to it where none is known
  std::string name;  // plain text
};

struct Scatter {
  std::string title, note;  // plain text
  std::vector<Spot> spots;
  bool joined = false;  // by a line from left to right
};

// Empty with fewer than two spots. An x of 0 stands at the left edge, which is labelled 0.
std::string draw(const Scatter& scatter);

}  // namespace rgm::report
