// report_chart.cpp - line charts. The SVG is stretched to the width at hand (strokes keep theirs), while ticks and
// labels are HTML placed by percentages: so text has the same size on a telephone and on a wall.
#include "train/report_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "train/report_text.hpp"

namespace rgm::report {

namespace {

constexpr size_t buckets = 300;
constexpr double span = 1000;  // of the SVG's own coordinates

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void include(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  bool empty() const { return low > high; }
};

// Without the most extreme 1 % at either end: one exploding step shall not flatten the rest.
Range usual(std::vector<double> y) {
  std::erase_if(y, [](double v) { return !std::isfinite(v); });
  std::sort(y.begin(), y.end());
  Range range;
  if (y.empty()) return range;
  const size_t cut = y.size() >= 200 ? y.size() / 100 : 0;
  range.include(y[cut]);
  range.include(y[y.size() - 1 - cut]);
  return range;
}

std::string at(const Axis& x, const Axis& y, double step, double value) {
  return fmt::format("{:.1f} {:.1f}", span * x.place(step), span * (1 - std::clamp(y.place(value), -1.0, 2.0)));
}

std::string path(const Line& line, const Axis& x, const Axis& y) {
  std::string out;
  bool drawing = false;
  for (size_t i = 0; i < line.x.size(); ++i) {
    const bool here = std::isfinite(line.y[i]);
    if (here) out += (drawing ? "L" : "M") + at(x, y, line.x[i], line.y[i]);
    drawing = here;
  }
  return out;
}

std::string stroke(const char* kind, const std::string& d) {
  return d.empty() ? "" : fmt::format("<path class=\"{}\" d=\"{}\"/>", kind, d);
}

// A line of no length with a round end is a dot that no stretching makes an ellipse.
std::string dots(const char* kind, const Line& line, const Axis& x, const Axis& y) {
  std::string out;
  for (size_t i = 0; i < line.x.size(); ++i)
    if (std::isfinite(line.y[i]))
      out += fmt::format("<path class=\"{}\" d=\"M{}h0\"><title>step {}: {}</title></path>", kind,
                         at(x, y, line.x[i], line.y[i]), whole(line.x[i]), number(line.y[i]));
  return out;
}

double last_of(const Line& line) {
  for (size_t i = line.y.size(); i-- > 0;)
    if (std::isfinite(line.y[i])) return line.y[i];
  return NAN;
}

std::string least_of(const Line& line) {
  const auto least = std::min_element(line.y.begin(), line.y.end(), [](double a, double b) {
    return (std::isfinite(a) ? a : INFINITY) < (std::isfinite(b) ? b : INFINITY);
  });
  return fmt::format("{} at step {}", loss(*least), whole(line.x[static_cast<size_t>(least - line.y.begin())]));
}

std::string legend(const Chart& chart, const Line& smoothed) {
  std::string out;
  if (!usual(smoothed.y).empty())
    out += fmt::format("<span class=\"key line\">training <b>{}</b></span>", loss(last_of(smoothed)));
  if (!usual(chart.points.y).empty())
    out += fmt::format("<span class=\"key dot\">validation <b>{}</b> <span class=\"soft\">lowest {}</span></span>",
                       loss(last_of(chart.points)), least_of(chart.points));
  return out;
}

}  // namespace

std::string frame(const Axis& x, const Axis& y, const std::string& shapes, const std::string& name,
                  const std::string& names) {
  std::string grid, labels;
  for (const double tick : y.ticks) {
    grid += fmt::format("M0 {0:.1f}H{1}", span * (1 - y.place(tick)), span);
    labels += fmt::format("<i class=\"y\" style=\"bottom:{:.2f}%\">{}</i>", 100 * y.place(tick), y.label(tick));
  }
  for (const double tick : x.ticks) {
    const double place = x.place(tick);
    labels += fmt::format("<i class=\"x{}\" style=\"left:{:.2f}%\">{}</i>", place > 0.97 ? " last" : "", 100 * place,
                          x.label(tick));
  }
  return fmt::format(
      "<div class=\"plot\"><svg viewBox=\"0 0 {0} {0}\" preserveAspectRatio=\"none\" role=\"img\" "
      "aria-label=\"{1}\"><path class=\"grid\" d=\"{2}\"/>{3}</svg>{4}{5}</div>",
      span, escape(name), grid, shapes, labels, names);
}

std::vector<double> smooth(const std::vector<double>& y, size_t radius) {
  std::vector<double> out(y.size(), NAN);
  for (size_t i = 0; i < y.size(); ++i) {
    if (!std::isfinite(y[i])) continue;
    const size_t reach = std::min({radius, i, y.size() - 1 - i});
    double total = 0, weights = 0;
    for (size_t j = i - reach; j <= i + reach; ++j) {
      if (!std::isfinite(y[j])) continue;
      const double weight = static_cast<double>(reach + 1 - (j > i ? j - i : i - j));
      total += weight * y[j];
      weights += weight;
    }
    out[i] = total / weights;
  }
  return out;
}

Line thin(const Line& line, size_t buckets) {
  const size_t n = line.x.size();
  if (n <= 2 * buckets) return line;
  Line out;
  for (size_t b = 0; b < buckets; ++b) {
    size_t least = b * n / buckets, most = least;
    for (size_t i = least; i < (b + 1) * n / buckets; ++i) {
      if (!(line.y[i] >= line.y[least])) least = i;  // also away from NaN
      if (!(line.y[i] <= line.y[most])) most = i;
    }
    out.add(line.x[std::min(least, most)], line.y[std::min(least, most)]);
    if (least != most) out.add(line.x[std::max(least, most)], line.y[std::max(least, most)]);
  }
  return out;
}

std::string draw(const Chart& chart) {
  Range steps, values = usual(chart.line.y);
  for (const Line* line : {&chart.line, &chart.points})
    for (const double x : line->x) steps.include(x);
  const Range held_out = usual(chart.points.y);
  values.include(held_out.low);
  values.include(held_out.high);
  if (steps.empty() || values.empty()) return "";

  const bool calmed = chart.prominent && chart.line.x.size() >= 40;
  Line course = chart.line;
  if (calmed) {
    // Wide enough to calm the noise of single batches, narrow enough to show every bend.
    course.y = smooth(chart.line.y, std::max<size_t>(3, std::min<size_t>(chart.line.x.size() / 40, 200)));
    for (const double v : course.y) values.include(v);
  }
  const Axis x = step_axis(steps.low < 0.2 * steps.high ? 0 : steps.low, steps.high, chart.prominent ? 6 : 2);
  const Axis y = make_axis(values.low, values.high, chart.prominent ? 7 : 4, 20);
  std::string shapes;
  if (calmed) shapes += stroke("raw", path(thin(chart.line, buckets), x, y));
  if (chart.line.x.size() == 1) shapes += dots("dot trained", chart.line, x, y);
  shapes += stroke("line", path(thin(course, buckets), x, y));
  shapes += stroke("between", path(thin(chart.points, buckets), x, y));
  if (chart.points.x.size() <= 120) shapes += dots("dot", chart.points, x, y);

  const std::string caption =
      chart.prominent ? legend(chart, course)
                      : fmt::format("<b>{}</b>", number(last_of(chart.line.empty() ? chart.points : chart.line)));
  return fmt::format(
      "<figure class=\"chart{}\"><figcaption><span class=\"title\">{}</span>{}</figcaption>{}</figure>\n",
      chart.prominent ? " prominent" : "", escape(chart.title), caption, frame(x, y, shapes, chart.title));
}

}  // namespace rgm::report
