// report_details.cpp - result, time, configuration, data, files and hashes of a stage, as tables and one bar.
#include "train/report_details.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "train/report_text.hpp"

namespace rgm::report {

namespace {

std::string row(std::string_view key, const Json& value) {
  return fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", escape(words(key)), cell(key, value));
}
std::string group(const std::string& above, const std::string& name, const std::string& rows) {
  const std::string caption =
      above.empty() ? escape(words(name)) : fmt::format("{} <em>{}</em>", escape(words(above)), escape(words(name)));
  return rows.empty() ? "" : fmt::format("<table><caption>{}</caption>{}</table>\n", caption, rows);
}

// What is nested becomes a group of its own: {"optimizer": {"adamw": {"beta1": ...}}} is headed "optimizer adamw".
// A choice without settings, and an object of one setting, stay a row.
void settings(const std::string& above, const std::string& name, const Json& value, std::string& rows,
              std::string& groups) {
  if (!value.is_object() || value.empty()) {
    rows += row(name, value);
    return;
  }
  if (value.size() == 1 && !value.front().is_object()) {
    rows += row(name + " " + value.begin().key(), value.front());
    return;
  }
  if (value.size() == 1 && value.front().empty()) {
    rows += row(name, value.begin().key());
    return;
  }
  std::string own, deeper;
  for (const auto& [key, item] : value.items()) settings(name, key, item, own, deeper);
  groups += group(above, name, own) + deeper;
}

}  // namespace

// Rows that flow over as many columns as the page is wide.
std::string result(const Json& record) {
  std::string out;
  for (const auto& [key, value] : get(record, {"result"}).items())
    if (key != "report_card")
      out += fmt::format("<div><span>{}</span><b>{}</b></div>\n", escape(words(key)), cell(key, value));
  return out.empty() ? "" : "<div class=\"columns pairs\">" + out + "</div>\n";
}

// How far it can be trusted, beside what a coin and a ruler know; how sure it is beside how often it is right.
std::string report_card(const Json& record) {
  const Json& card = get(record, {"result", "report_card"});
  if (!card.is_object() || card.empty()) return "";
  const auto share = [](const Json& x) { return x.is_number() ? percent(x.get<double>()) : std::string("unknown"); };
  std::string right, sure, raters;
  const Json& interval = get(card, {"interval_95"});
  const bool has_interval = interval.is_array() && interval.size() == 2;
  const auto line = [](const std::string& name, const std::string& value) {
    return fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", escape(name), value);
  };
  right += line("pairs ordered correctly", share(get(card, {"accuracy"})));
  if (has_interval) right += line("95 % interval", share(interval[0]) + " to " + share(interval[1]));
  right += line("the longer answer is better", share(get(card, {"longer_is_better"})));
  right += line("a coin toss", share(get(card, {"random"})));
  right += line("held-out pairs", cell("pairs", get(card, {"pairs"})));
  right += line("mean margin", cell("margin", get(card, {"margin"})));
  right += line("correlation with length", cell("length_correlation", get(card, {"length_correlation"})));
  for (const Json& bin : get(card, {"calibration"}))
    sure += fmt::format("<tr><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>\n",
                        share(get(bin, {"sure"})), share(get(bin, {"right"})), cell("pairs", get(bin, {"pairs"})));
  for (const auto& [name, value] : get(card, {"raters"}).items()) raters += line(name, share(value));
  std::string out = group("", "accuracy", right);
  if (!sure.empty())
    out +=
        "<table><caption>Calibration</caption><thead><tr><th class=\"num\">sure</th><th class=\"num\">right</th>"
        "<th class=\"num\">pairs</th></tr></thead>" +
        sure + "</table>\n";
  return "<div class=\"columns\">" + out + group("", "agrees with", raters) + "</div>\n";
}

std::string configuration(const Json& record) {
  const Json& all = get(record, {"configuration"});
  if (!all.is_object() || all.empty()) return "";
  std::string plain, groups;
  for (const auto& [key, value] : all.items()) settings("", key, value, plain, groups);
  return "<div class=\"columns\">" + group("", "stage", plain) + groups + "</div>";
}

std::string timings(const Json& record) {
  const Json& all = get(record, {"timings"});
  double total = 0;
  if (all.is_object())
    for (const auto& [key, value] : all.items())
      if (value.is_number()) total += std::max(0.0, value.get<double>());
  if (total <= 0) return "";
  std::string bar, keys;
  int part = 0;
  for (const auto& [key, value] : all.items()) {
    if (!value.is_number() || value.get<double>() <= 0) continue;
    const double share = value.get<double>() / total;
    bar += fmt::format("<i class=\"part{}\" style=\"width:{:.3f}%\" title=\"{}\"></i>", part % 6, 100 * share,
                       escape(words(key)));
    keys += fmt::format("<li><i class=\"part{}\"></i>{} <b>{}</b> <span class=\"soft\">{}</span></li>", part % 6,
                        escape(words(key)), time_for_people(value.get<double>()), percent(share));
    ++part;
  }
  return fmt::format("<div class=\"bar\">{}</div><ul class=\"keys\">{}</ul>\n", bar, keys);
}

std::string data(const Json& record) {
  const Json& all = get(record, {"data"});
  std::string out;
  if (all.is_object())
    for (const auto& [name, source] : all.items()) {
      std::string rows;
      if (source.is_object())
        for (const auto& [key, value] : source.items()) rows += row(key, value);
      else
        rows = row("", source);
      out += group("", name, rows);
    }
  return out.empty() ? "" : "<div class=\"columns\">" + out + "</div>";
}

std::string files(const StageRecord& stage) {
  std::string rows;
  for (const auto& [path, bytes] : stage.files)
    rows += fmt::format("<tr><th><a href=\"{}\">{}</a></th><td>{}</td></tr>\n", link_target(path), escape(path),
                        bytes_for_people(bytes));
  return rows.empty() ? "" : "<table class=\"files\">" + rows + "</table>\n";
}

std::string hashes(const Json& record) {
  const Json& all = get(record, {"hashes"});
  std::string rows;
  if (all.is_object())
    for (const auto& [key, value] : all.items())
      rows += fmt::format("<tr><th>{}</th><td><code>{}</code></td></tr>\n", escape(words(key)),
                          escape(value.is_string() ? value.get<std::string>() : value.dump()));
  return rows.empty() ? ""
                      : "<details><summary>SHA-256 of what went in and came out</summary><table class=\"hashes\">" +
                            rows + "</table></details>\n";
}

}  // namespace rgm::report
