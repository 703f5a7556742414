// report_scatter_test.cpp - names beside the spots of a plot.
#include "train/report_scatter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

namespace rgm {
namespace {

// Four methods within a point of each other at the upper edge.
TEST(ReportScatter, NamesStayInThePlotAndApart) {
  report::Scatter scatter{.title = "accuracy", .note = "", .spots = {}};
  for (const auto& [x, y] : {std::pair(1e5, 76.0), {1.1e5, 76.1}, {1.2e5, 76.2}, {1.3e5, 76.3}, {10.0, 50.0}})
    scatter.spots.push_back({x, y, y, y, "m" + std::to_string(static_cast<int>(x))});
  const std::string html = report::draw(scatter);
  std::vector<double> heights;
  const std::regex name(R"(class="name" style="(?:left|right):[0-9.]+%;bottom:([0-9.]+)%")");
  for (std::sregex_iterator at(html.begin(), html.end(), name), end; at != end; ++at)
    heights.push_back(std::stod((*at)[1]));
  ASSERT_EQ(heights.size(), 5u);
  std::ranges::sort(heights);
  EXPECT_LE(heights.back(), 96);
  for (size_t i = 2; i < 5; ++i) EXPECT_GE(heights[i] - heights[i - 1], 5.49);
}

}  // namespace
}  // namespace rgm
