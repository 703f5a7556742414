// report_chart_test.cpp - numbers as a person writes them, axes with round ticks, and curves that keep their shape when
// they are thinned.
#include "train/report_chart.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "train/report_axis.hpp"
#include "train/report_text.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(ReportText, NumbersReadLikeAPersonWroteThem) {
  using namespace report;
  EXPECT_EQ(number(1.87361), "1.874");
  EXPECT_EQ(number(3e-5), "3e-5");
  EXPECT_EQ(number(12345.6), "12,346");
  EXPECT_EQ(number(-0.5), "\u22120.5");
  EXPECT_EQ(number(NAN), "not a number");
  EXPECT_EQ(loss(1.77), "1.770");
  EXPECT_EQ(percent(0.25), "25\u202F%");
  EXPECT_EQ(escape("a\xFF<"), "a\xEF\xBF\xBD&lt;");
  EXPECT_EQ(link_target("a b/c:d\"e"), "./a%20b/c%3Ad%22e");
}

TEST(ReportAxis, TicksAreRoundNumbersInsideTheAxis) {
  const report::Axis axis = report::make_axis(1.5, 4.2, 6, 20);
  EXPECT_THAT(axis.ticks, ElementsAre(1.5, 2, 2.5, 3, 3.5, 4));
  EXPECT_EQ(axis.label(2), "2.0");
  EXPECT_DOUBLE_EQ(axis.place(axis.low), 0);
  EXPECT_DOUBLE_EQ(axis.place(axis.high), 1);
}

TEST(ReportAxis, WhatSpansDecadesIsLogarithmic) {
  const report::Axis axis = report::make_axis(0.01, 100, 4, 20);
  EXPECT_TRUE(axis.logarithmic);
  EXPECT_NEAR(axis.place(1), 0.5, 1e-9);
  EXPECT_THAT(axis.ticks, testing::Contains(1));
}

TEST(ReportAxis, AConstantHasAnAxisToo) {
  const report::Axis axis = report::make_axis(3, 3, 4, 20);
  EXPECT_LT(axis.low, 3);
  EXPECT_GT(axis.high, 3);
  EXPECT_FALSE(axis.ticks.empty());
  EXPECT_FALSE(report::make_axis(0, 0, 4, 20).ticks.empty());
}

// Beyond 2^53 a double does not grow by adding 1, which once made ticks without end.
TEST(ReportAxis, StepsBeyondWhatADoubleCountsHaveFewTicks) {
  for (const double step : {0x1p53, 1e65, 1e300}) {
    const report::Axis axis = report::step_axis(step, step, 5);
    EXPECT_GT(axis.high, axis.low) << step;
    EXPECT_LE(axis.ticks.size(), 21U) << step;
  }
}

TEST(ReportChart, ThinningKeepsSpikesAndOrder) {
  report::Line line;
  for (int i = 0; i < 10000; ++i) line.add(i, i == 5000 ? 100 : i == 7777 ? -100 : 0);
  const report::Line thinned = report::thin(line, 100);
  EXPECT_LE(thinned.x.size(), 200u);
  EXPECT_THAT(thinned.y, testing::Contains(100));
  EXPECT_THAT(thinned.y, testing::Contains(-100));
  EXPECT_TRUE(std::is_sorted(thinned.x.begin(), thinned.x.end()));
}

TEST(ReportChart, SmoothingKeepsALineALineAndSkipsGaps) {
  EXPECT_THAT(report::smooth({1, 2, 3, 4, 5}, 2), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(report::smooth({1, NAN, 3}, 1), ElementsAre(1, testing::IsNan(), 3));
}

// One step alone is a dot, in the colour of the line that the legend shows.
TEST(ReportChart, ACurveOfOneStepIsADotOfTraining) {
  const std::string html = report::draw({.title = "loss", .line = {{10}, {2.5}}, .points = {}, .prominent = true});
  EXPECT_THAT(html, HasSubstr("class=\"dot trained\""));
  EXPECT_THAT(html, Not(HasSubstr("class=\"dot\"")));
}

TEST(ReportChart, NothingToDrawIsNothing) {
  EXPECT_EQ(report::draw(report::Chart{}), "");
  EXPECT_EQ(report::draw({.title = "loss", .line = {{1, 2}, {NAN, NAN}}, .points = {}}), "");
}

}  // namespace
}  // namespace rgm
