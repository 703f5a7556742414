// report_methods.cpp - stages gathered into methods, their means over seeds, and rewards by what they learned from.
#include "train/report_methods.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/text.hpp"
#include "train/report_scatter.hpp"
#include "train/report_stage.hpp"
#include "train/report_text.hpp"

namespace rgm::report {

namespace {

// "lora" of "lora-2"; empty of a name that does not end in a number.
std::string stem(const std::string& name) {
  const size_t dash = name.rfind('-');
  if (dash == name.npos || dash == 0 || dash + 1 == name.size()) return "";
  return name.find_first_not_of("0123456789", dash + 1) == name.npos ? name.substr(0, dash) : "";
}

Mean mean_of(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  Mean out{.value = 0, .error = NAN, .of_seeds = values.size() > 1};
  for (const double v : values) out.value += v / n;
  double squares = 0;
  for (const double v : values) squares += (v - out.value) * (v - out.value);
  if (out.of_seeds) out.error = std::sqrt(squares / (n - 1) / n);
  return out;
}

double held_out_rows(const StageRecord& s) {
  const double rows = real(s.record, {"result", "rows"});
  return std::isfinite(rows) ? rows : real(s.record, {"data", "validation", "units"});
}

Mean accuracy_of(const std::vector<const StageRecord*>& stages) {
  std::vector<double> all;
  all.reserve(stages.size());
  for (const StageRecord* s : stages) all.push_back(outcome(*s).accuracy);
  Mean out = mean_of(all);
  const double measured = real(stages[0]->record, {"result", "accuracy_error"});
  if (!out.of_seeds && std::isfinite(measured)) {
    out.error = measured;
    return out;
  }
  const double rows = held_out_rows(*stages[0]);
  if (!out.of_seeds && rows > 0) out.error = std::sqrt(out.value * (1 - out.value) / rows);
  return out;
}

double mean(const std::vector<const StageRecord*>& stages, double (*value)(const StageRecord&)) {
  double sum = 0;
  for (const StageRecord* s : stages) sum += value(*s);
  return sum / static_cast<double>(stages.size());
}

double bytes_of_weights(const StageRecord& s) {
  double sum = 0;
  for (const auto& [path, size] : s.files)
    if (path.ends_with(".safetensors")) sum += static_cast<double>(size);
  return sum;
}

std::string base_of(const std::vector<const StageRecord*>& stages) {
  bool known = true, unchanged = true;
  for (const StageRecord* s : stages) {
    const Json& value = get(s->record, {"result", "base_unchanged"});
    known &= value.is_boolean();
    unchanged &= value.is_boolean() && value.get<bool>();
  }
  return !known ? "" : unchanged ? "unchanged" : "changed";
}

void compare_with_best(std::vector<Method>& methods) {
  const Method& best = *std::ranges::max_element(methods, {}, [](const Method& m) { return m.accuracy.value; });
  for (Method& m : methods) {
    std::vector<double> gaps;
    for (size_t i = 0; i < m.stages.size(); ++i)
      if (const auto same = std::ranges::find(best.seeds, m.seeds[i]); same != best.seeds.end())
        gaps.push_back(outcome(*best.stages[size_t(same - best.seeds.begin())]).accuracy -
                       outcome(*m.stages[i]).accuracy);
    if (gaps.size() > 1) m.behind = mean_of(gaps);
  }
}

}  // namespace

std::vector<Method> methods_of(std::span<const Run> runs) {
  std::map<std::string, size_t> stems;  // how many stages of one run have it
  for (const Run& run : runs.first(std::min<size_t>(1, runs.size())))
    for (const StageRecord& s : run.stages) ++stems[stem(s.name)];
  std::vector<Method> out;
  for (size_t run = 0; run < runs.size(); ++run)
    for (const StageRecord& s : runs[run].stages) {
      if (!outcome(s).is_held_out_accuracy) continue;
      const std::string own = stem(s.name), name = !own.empty() && stems[own] > 1 ? own : s.name;
      auto at = std::ranges::find(out, name, &Method::name);
      if (at == out.end()) at = out.insert(out.end(), Method{.name = name});
      at->stages.push_back(&s);
      at->seeds.push_back(fmt::format("{}{}", run, s.name.substr(name.size())));
    }
  if (out.size() < 3) return {};
  for (Method& m : out) {
    m.accuracy = accuracy_of(m.stages);
    m.trained = mean(m.stages, [](const StageRecord& s) { return real(s.record, {"result", "trained_parameters"}); });
    m.seconds = mean(m.stages, [](const StageRecord& s) { return outcome(s).seconds; });
    m.memory = mean(m.stages, [](const StageRecord& s) { return real(s.record, {"result", "peak_memory_bytes"}); });
    m.disk = mean(m.stages, bytes_of_weights);
    m.base = base_of(m.stages);
  }
  compare_with_best(out);
  return out;
}

namespace {

struct Cells {
  std::string accuracy, behind, seeds, trained, seconds, memory, disk, base;
};

std::string points(const Mean& m) {
  const std::string value = fmt::format("{:.1f}", 100 * m.value);
  return std::isfinite(m.error) ? value + fmt::format(" ± {:.1f}", 100 * m.error) : value;
}

Cells cells(const Method& m) {
  const auto known = [](double x, auto shown) { return std::isfinite(x) ? shown(x) : std::string(); };
  const auto bytes = [](double x) { return bytes_for_people(static_cast<uint64_t>(x)); };
  return {points(m.accuracy),
          m.behind.of_seeds ? points(m.behind) : "",
          std::to_string(m.stages.size()),
          known(m.trained, whole),
          known(m.seconds, time_for_people),
          known(m.memory, bytes),
          m.disk > 0 ? bytes(m.disk) : "",
          m.base};
}

struct Heading {
  const char* title;
  std::string Cells::*cell;
};
constexpr Heading headings[] = {{"accuracy, %", &Cells::accuracy}, {"points behind the best", &Cells::behind},
                                {"seeds", &Cells::seeds},          {"trained", &Cells::trained},
                                {"time", &Cells::seconds},         {"memory", &Cells::memory},
                                {"on disk", &Cells::disk},         {"base", &Cells::base}};

// Those of which some method has something to say: with one seed each, none is behind by a known distance.
std::vector<Heading> headings_of(const std::vector<Method>& methods) {
  std::vector<Heading> out;
  for (const Heading& h : headings)
    if (std::ranges::any_of(methods, [&](const Method& m) { return !(cells(m).*h.cell).empty(); })) out.push_back(h);
  return out;
}

}  // namespace

std::string methods_section(std::span<const Run> runs) {
  const std::vector<Method> methods = methods_of(runs);
  if (methods.empty()) return "";
  Scatter plot{.title = "Accuracy by trained parameters", .note = "in %, with standard errors", .spots = {}};
  const std::vector<Heading> shown = headings_of(methods);
  std::string head = "<th>method</th>", rows;
  for (const Heading& h : shown) head += fmt::format("<th class=\"num\">{}</th>", h.title);
  for (const Method& m : methods) {
    const double error = std::isfinite(m.accuracy.error) ? m.accuracy.error : 0, value = m.accuracy.value;
    if (std::isfinite(m.trained))
      plot.spots.push_back({m.trained, 100 * value, 100 * (value - error), 100 * (value + error), m.name});
    const Cells all = cells(m);
    rows += fmt::format("<tr><td>{}</td>", escape(m.name));
    for (const Heading& h : shown) rows += fmt::format("<td class=\"num\">{}</td>", escape(all.*h.cell));
    rows += "</tr>\n";
  }
  return "<section class=\"block wide\"><h3>Methods</h3>\n" + draw(plot) + "<table><thead><tr>" + head +
         "</tr></thead><tbody>\n" + rows + "</tbody></table></section>\n";
}

std::string methods_text(const std::vector<Method>& methods) {
  const std::vector<Heading> shown = headings_of(methods);
  std::vector<std::vector<std::string>> lines{{"method"}};
  for (const Heading& h : shown) lines[0].emplace_back(h.title);
  for (const Method& m : methods) {
    const Cells all = cells(m);
    lines.push_back({m.name});
    for (const Heading& h : shown) lines.back().push_back(all.*h.cell);
  }
  return table_for_people(lines);
}

std::string rewards_section(const Run& run) {
  Scatter plot{.title = "Accuracy of the reward by the rankings it learned from",
               .note = "% of held-out pairs, with 95 % intervals",
               .spots = {},
               .joined = true};
  for (const StageRecord& s : run.stages) {
    const Json& card = get(s.record, {"result", "report_card"});
    const double accuracy = real(card, {"accuracy"}), used = real(s.record, {"data", "train", "units"});
    const Json& interval = get(card, {"interval_95"});
    if (!std::isfinite(accuracy) || !std::isfinite(used)) continue;
    const bool known =
        interval.is_array() && interval.size() == 2 && interval[0].is_number() && interval[1].is_number();
    plot.spots.push_back({used, 100 * accuracy, 100 * (known ? interval[0].get<double>() : accuracy),
                          100 * (known ? interval[1].get<double>() : accuracy),
                          fmt::format("{}: {}", s.name, whole(used))});
  }
  const std::string drawn = draw(plot);
  return drawn.empty() ? "" : "<section class=\"block wide\"><h3>Rewards</h3>\n" + drawn + "</section>\n";
}

}  // namespace rgm::report
