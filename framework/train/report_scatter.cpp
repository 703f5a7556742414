// report_scatter.cpp - spots on two axes. Names stand beside their spots, and make room for each other.
#include "train/report_scatter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "train/report_chart.hpp"
#include "train/report_text.hpp"

namespace rgm::report {

namespace {

constexpr double name_height = 0.055, name_width = 0.22;  // shares of the plot, so that names do not overlap
constexpr double highest_name = 0.96;
constexpr double label_width = 0.06;  // of a tick
constexpr double most_linear = 20;    // by this factor and less, values share a linear axis

struct Placed {
  const Spot* spot;
  double x, y;  // 0 to 1
  double name_y;
};

double share(const Axis& axis, double value) { return std::clamp(axis.place(value), 0.0, 1.0); }

// From below: a name that would lie on another one moves above it. Then from above: none leaves the plot.
void make_room(std::vector<Placed>& all) {
  std::ranges::sort(all, {}, &Placed::y);
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (std::abs(all[i].x - all[j].x) < name_width && all[i].name_y < all[j].name_y + name_height)
        all[i].name_y = all[j].name_y + name_height;
  for (size_t i = all.size(); i-- > 0;) {
    all[i].name_y = std::min(all[i].name_y, highest_name);
    for (size_t j = i + 1; j < all.size(); ++j)
      if (std::abs(all[i].x - all[j].x) < name_width && all[i].name_y > all[j].name_y - name_height)
        all[i].name_y = std::min(all[i].name_y, all[j].name_y - name_height);
  }
}

std::string name_of(const Placed& p) {
  const bool on_the_left = p.x > 0.75;
  return fmt::format("<i class=\"name\" style=\"{}:{:.2f}%;bottom:{:.2f}%\">{}</i>", on_the_left ? "right" : "left",
                     100 * (on_the_left ? 1 - p.x : p.x), 100 * p.name_y, escape(p.spot->name));
}

Axis x_axis(const std::vector<Spot>& spots) {
  double low = INFINITY, high = 0;
  for (const Spot& s : spots) {
    high = std::max(high, s.x);
    if (s.x > 0) low = std::min(low, s.x);
  }
  const bool has_zero = std::ranges::any_of(spots, [](const Spot& s) { return s.x == 0; });
  if (!has_zero) return make_axis(std::min(low, high), high, 6, most_linear);
  if (!(high / low > most_linear)) return make_axis(0, high, 6, most_linear);
  Axis axis = make_axis(low / 3, high, 6, most_linear);  // a third: room for 0 at the edge
  std::erase_if(axis.ticks, [&](double tick) { return axis.place(tick) < label_width; });
  axis.ticks.insert(axis.ticks.begin(), 0);
  axis.has_zero = true;
  return axis;
}

Axis y_axis(const std::vector<Spot>& spots) {
  double low = INFINITY, high = -INFINITY;
  for (const Spot& s : spots) low = std::min(low, s.low), high = std::max(high, s.high);
  return make_axis(low, high, 6, INFINITY);
}

}  // namespace

std::string draw(const Scatter& scatter) {
  if (scatter.spots.size() < 2) return "";
  const Axis x = x_axis(scatter.spots), y = y_axis(scatter.spots);
  std::vector<Placed> all;
  for (const Spot& s : scatter.spots) all.push_back({&s, share(x, s.x), share(y, s.y), share(y, s.y)});
  make_room(all);
  std::string shapes, names;
  if (scatter.joined) {
    std::vector<Placed> in_order = all;
    std::ranges::stable_sort(in_order, {}, &Placed::x);
    for (const Placed& p : in_order)
      shapes += fmt::format("{}{:.1f} {:.1f}", shapes.empty() ? "<path class=\"between\" d=\"M" : "L", 1000 * p.x,
                            1000 * (1 - p.y));
    shapes += "\"/>";
  }
  for (const Placed& p : all) {
    if (p.spot->high > p.spot->low)
      shapes += fmt::format("<path class=\"interval\" d=\"M{0:.1f} {1:.1f}V{2:.1f}\"/>", 1000 * p.x,
                            1000 * (1 - share(y, p.spot->low)), 1000 * (1 - share(y, p.spot->high)));
    shapes += fmt::format("<path class=\"dot\" d=\"M{:.1f} {:.1f}h0\"><title>{}: {}</title></path>", 1000 * p.x,
                          1000 * (1 - p.y), escape(p.spot->name), number(p.spot->y));
    names += name_of(p);
  }
  return fmt::format(
      "<figure class=\"chart prominent spots\"><figcaption><span class=\"title\">{}</span><span "
      "class=\"soft\">{}</span></figcaption>{}</figure>\n",
      escape(scatter.title), escape(scatter.note), frame(x, y, shapes, scatter.title, names));
}

}  // namespace rgm::report
