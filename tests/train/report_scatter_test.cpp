// report_scatter_test.cpp - names beside the spots of a plot.
#include "train/report_scatter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <regex>
#include <string>

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

// The labels below the plot with their places, in %.
std::map<std::string, double> labels_below(const std::string& html) {
  std::map<std::string, double> out;
  const std::regex label(R"re(<i class="x(?: last)?" style="left:([0-9.-]+)%">([^<]*)</i>)re");
  for (std::sregex_iterator at(html.begin(), html.end(), label), end; at != end; ++at)
    out[at->str(2)] = std::stod(at->str(1));
  return out;
}

report::Scatter over(std::initializer_list<double> all) {
  report::Scatter scatter{.title = "accuracy", .note = "", .spots = {}};
  for (const double x : all) scatter.spots.push_back({x, 50, 50, 50, "m"});
  return scatter;
}

TEST(ReportScatter, WhatTrainsNothingStandsAtZeroOfALinearAxis) {
  const std::string html = report::draw(over({0, 25'000, 37'000}));
  const auto labels = labels_below(html);
  ASSERT_TRUE(labels.contains("0")) << html;
  EXPECT_EQ(labels.at("0"), 0);
  // 37,000 and 6 % of air: 25,000 lies at 25 / 39.22 of the width
  EXPECT_NE(html.find("class=\"dot\" d=\"M637.4 "), std::string::npos) << html;
  EXPECT_NE(html.find("class=\"dot\" d=\"M0.0 "), std::string::npos) << html;
}

TEST(ReportScatter, ALogarithmicAxisSaysThatItsEdgeIsZero) {
  const auto labels = labels_below(report::draw(over({0, 1'000, 1'000'000})));
  ASSERT_TRUE(labels.contains("0"));
  EXPECT_EQ(labels.at("0"), 0);
  ASSERT_TRUE(labels.contains("1,000"));
  EXPECT_GT(labels.at("1,000"), 6);
  EXPECT_FALSE(labels_below(report::draw(over({1'000, 1'000'000}))).contains("0"));
}

}  // namespace
}  // namespace rgm
