// report_overview.cpp - the table of stages, so that runs of several methods compare line by line.
#include "train/report_overview.hpp"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <string_view>

#include "base/text.hpp"
#include "train/report_stage.hpp"
#include "train/report_text.hpp"

namespace rgm::report {
namespace {

struct Column {
  const char* title;
  bool is_number;
  std::function<std::string(const StageRecord&)> cell;  // HTML; empty: nothing is known
};

std::string if_known(double x, const std::function<std::string(double)>& shown) {
  return std::isfinite(x) ? shown(x) : "";
}
std::string bytes(double n) { return bytes_for_people(static_cast<uint64_t>(n)); }

// 76.4 % ± 1.4: the standard error of a share of n rows.
std::string accuracy(const StageRecord& stage) {
  const double p = outcome(stage).accuracy, rows = real(stage.record, {"result", "rows"});
  if (!std::isfinite(p)) return "";
  const std::string shown = fmt::format("{:.1f} %", 100 * p);
  if (!outcome(stage).is_held_out_accuracy) return shown + " in training";
  return rows > 0 ? shown + fmt::format(" ± {:.1f}", 100 * std::sqrt(p * (1 - p) / rows)) : shown;
}

std::string base_unchanged(const StageRecord& stage) {
  const Json& value = get(stage.record, {"result", "base_unchanged"});
  return value.is_boolean() ? value.get<bool>() ? "unchanged" : "changed" : "";
}

std::string on_disk(const StageRecord& stage) {
  double sum = 0;
  for (const auto& [path, size] : stage.files)
    if (path.ends_with(".safetensors")) sum += static_cast<double>(size);
  return sum > 0 ? bytes(sum) : "";
}

const std::vector<Column>& columns() {
  static const std::vector<Column> all = {
      {"stage", false,
       [](const StageRecord& s) { return fmt::format("<a href=\"#stage-{0}\">{0}</a>", escape(s.name)); }},
      {"strategy", false, [](const StageRecord& s) { return escape(text(s.record, {"strategy"})); }},
      {"status", false, [](const StageRecord& s) { return escape(status(s)); }},
      {"steps", true, [](const StageRecord& s) { return if_known(outcome(s).steps, whole); }},
      {"training loss", true, [](const StageRecord& s) { return if_known(outcome(s).loss, loss); }},
      {"validation loss", true, [](const StageRecord& s) { return if_known(outcome(s).validation_loss, loss); }},
      {"accuracy", true, accuracy},
      {"reward", true, [](const StageRecord& s) { return if_known(outcome(s).reward, number); }},
      {"judged good", true, [](const StageRecord& s) { return if_known(outcome(s).judged, percent); }},
      {"trained", true,
       [](const StageRecord& s) {
         return if_known(real(s.record, {"result", "trained_parameters"}), whole);
       }},
      {"base", false, base_unchanged},
      {"weights on disk", true, on_disk},
      {"memory", true,
       [](const StageRecord& s) {
         return if_known(real(s.record, {"result", "peak_memory_bytes"}), bytes);
       }},
      {"time", true, [](const StageRecord& s) { return if_known(outcome(s).seconds, time_for_people); }},
  };
  return all;
}

}  // namespace

std::string overview(const Run& run) {
  if (run.stages.size() < 2) return "";
  std::string head, rows;
  std::vector<const Column*> shown;
  for (const Column& column : columns()) {
    const bool says = std::ranges::any_of(run.stages, [&](const StageRecord& s) { return !column.cell(s).empty(); });
    // That all went well is said by what there is.
    const bool is_plain = column.title == std::string_view("status") &&
                          std::ranges::all_of(run.stages, [](const StageRecord& s) { return status(s) == "done"; });
    if (!says || is_plain) continue;
    shown.push_back(&column);
    head += fmt::format("<th{}>{}</th>", column.is_number ? " class=\"num\"" : "", column.title);
  }
  for (const StageRecord& stage : run.stages) {
    rows += "<tr>";
    for (const Column* column : shown)
      rows += fmt::format("<td{}>{}</td>", column->is_number ? " class=\"num\"" : "", column->cell(stage));
    rows += "</tr>\n";
  }
  return "<section class=\"block wide\"><h3>Stages</h3><table><thead><tr>" + head + "</tr></thead><tbody>\n" + rows +
         "</tbody></table></section>\n";
}

}  // namespace rgm::report
