// bench_plot.cpp - how time and memory grow, as an SVG of two panels that needs nothing else to be shown.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "base/text.hpp"
#include "cli/bench.hpp"
#include "train/report_axis.hpp"
#include "train/report_text.hpp"

namespace rgm {
namespace {

using Figure = nlohmann::ordered_json;
using report::Axis;

constexpr double width = 360, height = 260, top = 54;  // of a panel, and where it begins

struct Point {
  double x, y;
  std::string label;
};

struct Panel {
  double left;  // of its axes
  Axis x, y;
  double at_x(double value) const { return left + x.place(value) * width; }
  double at_y(double value) const { return top + (1 - y.place(value)) * height; }
};

std::string text(double x, double y, const char* anchor, std::string_view what, std::string_view style = "tick") {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", style, x, y, anchor,
                     report::escape(what));
}

std::string frame(const Panel& p, std::string_view title, std::string_view below,
                  const std::function<std::string(double)>& label) {
  std::string out = text(p.left, top - 26, "start", title, "title");
  for (const double tick : p.y.ticks) {
    out += fmt::format("<path class=\"grid\" d=\"M{:.1f} {:.1f}h{}\"/>\n", p.left, p.at_y(tick), width);
    out += text(p.left - 8, p.at_y(tick) + 4, "end", label(tick));
  }
  for (const double tick : p.x.ticks) {
    out += fmt::format("<path class=\"grid\" d=\"M{:.1f} {}v{}\"/>\n", p.at_x(tick), top, height);
    out += text(p.at_x(tick), top + height + 18, "middle", p.x.label(tick));
  }
  return out + text(p.left + width / 2, top + height + 38, "middle", below);
}

std::string line(const Panel& p, const std::vector<Point>& points, std::string_view style) {
  std::string d;
  for (const Point& q : points) d += fmt::format("{}{:.1f} {:.1f}", d.empty() ? 'M' : 'L', p.at_x(q.x), p.at_y(q.y));
  return fmt::format("<path class=\"{}\" d=\"{}\"/>\n", style, d);
}

std::string dots(const Panel& p, const std::vector<Point>& points, std::string_view style) {
  std::string out;
  for (const Point& q : points)
    out += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"><title>{}</title></circle>\n", style,
                       p.at_x(q.x), p.at_y(q.y), report::escape(q.label));
  return out;
}

// Spans the points' values; the axis of all of them from the smallest that one of them has.
Axis spanning(const std::vector<Point>& points, double Point::*value, double log_ratio, bool from_zero) {
  const auto [low, high] = std::ranges::minmax(points, {}, value);
  return report::make_axis(from_zero ? 0 : low.*value, high.*value, 6, log_ratio);
}

// `context` of `context-512`; a name without a number is a series of its own.
std::string series_of(const std::string& name) {
  const size_t dash = name.find_last_of("-_");
  const bool numbered =
      dash != std::string::npos && dash + 1 < name.size() && name[dash + 1] >= '0' && name[dash + 1] <= '9';
  return numbered ? name.substr(0, dash) : name;
}

using Series = std::map<std::string, std::vector<Point>>;  // by name

std::vector<Point> together(const Series& series) {
  std::vector<Point> all;
  for (const auto& [name, points] : series) all.insert(all.end(), points.begin(), points.end());
  return all;
}

std::string time_panel(const Series& series) {
  const std::vector<Point> points = together(series);
  const auto [least, most] = std::ranges::minmax(points, {}, &Point::x);
  const Point fastest = *std::ranges::max_element(points, {}, [](const Point& q) { return q.x / q.y; });
  const auto at_best = [&](double x) { return Point{x, x / fastest.x * fastest.y, ""}; };
  std::vector<Point> shown = points;
  shown.insert(shown.end(), {at_best(least.x), at_best(most.x)});
  const Panel p{70, spanning(shown, &Point::x, 10, false), spanning(shown, &Point::y, 10, false)};
  std::string out =
      frame(p, "Time of a step", "arithmetic of a step, GFLOP; dashed: at the rate of the fastest",
            [](double ms) { return ms < 1000 ? fmt::format("{:g} ms", ms) : fmt::format("{:g} s", ms / 1000); });
  out += line(p, {at_best(least.x), at_best(most.x)}, "ideal");
  int i = 0;
  for (const auto& [name, all] : series) {
    out += dots(p, all, fmt::format("s{}", i % 3));
    out += text(p.left + 12, top + 18 + 16 * i, "start", name, fmt::format("tick s{}", i % 3));
    ++i;
  }
  return out;
}

// Of the series whose rows grow.
std::string memory_panel(const Series& series) {
  Series growing;
  for (const auto& [name, points] : series)
    if (points.front().x != points.back().x) growing.emplace(name, points);
  if (growing.empty()) return "";
  const std::vector<Point> all = together(growing);
  const Panel p{540, spanning(all, &Point::x, INFINITY, true), spanning(all, &Point::y, INFINITY, true)};
  std::string out = frame(p, "Peak memory", "tokens of a row",
                          [](double mb) { return bytes_for_people(static_cast<uint64_t>(mb * 1e6)); });
  for (const auto& [name, points] : growing) {
    const auto i = std::distance(series.begin(), series.find(name));
    out += line(p, points, fmt::format("curve s{}", i % 3)) + dots(p, points, fmt::format("s{}", i % 3));
  }
  return out;
}

}  // namespace

std::string growth_plot(const Figure& stages) {
  Series times, memory;
  for (const Figure& s : stages) {
    const std::string name = s["stage"], kind = series_of(name);
    const double ms = s["step_ms"], rate = s["model_gflops"], row = s["row"],
                 mb = s["peak_memory_bytes"].get<double>() * 1e-6;
    times[kind].push_back({rate * ms / 1000, ms, fmt::format("{}: {} ms, {} GFLOP/s", name, ms, rate)});
    memory[kind].push_back({row, mb, fmt::format("{}: {:.0f} MB", name, mb)});
  }
  for (auto& one : memory) std::ranges::sort(one.second, {}, &Point::x);
  const std::string right = memory_panel(memory);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} 370\" font-family=\"system-ui, sans-serif\">\n"
      "<style>.title {{ font-size: 15px; font-weight: 600; fill: #211f1c }} .tick {{ font-size: 12px; fill: #746f67 "
      "}}\n"
      ".grid {{ stroke: #e5e0d6; fill: none }} .ideal {{ stroke: #746f67; stroke-dasharray: 4 4; fill: none }}\n"
      ".curve {{ stroke-width: 1.5; fill: none }} path.s0 {{ stroke: #c2571b }} path.s1 {{ stroke: #17696b }}\n"
      "path.s2 {{ stroke: #3d7a3f }} .s0:not(path) {{ fill: #c2571b }} .s1:not(path) {{ fill: #17696b }}\n"
      ".s2:not(path) {{ fill: #3d7a3f }}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fffefb\"/>\n",
      right.empty() ? 460 : 930);
  out += time_panel(times) + right;
  return out + "</svg>\n";
}

}  // namespace rgm
