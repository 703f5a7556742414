// report.cpp - report.html: title, one sentence, key numbers, then the stages. One file without scripts, fonts or
// anything else from elsewhere; its own policy forbids all of it, in case a model's text ever slipped through escaping.
#include "train/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "train/report_methods.hpp"
#include "train/report_overview.hpp"
#include "train/report_stage.hpp"
#include "train/report_style.hpp"
#include "train/report_text.hpp"

namespace rgm {

namespace report {
namespace {

bool known(double x) { return std::isfinite(x); }
std::string bold(const std::string& s) { return "<b>" + s + "</b>"; }

// The last stage that has something to say; the sentence and the cards are about it.
const StageRecord* headline(const Run& run) {
  for (size_t i = run.stages.size(); i-- > 0;)
    if (!run.stages[i].record.empty() || !run.stages[i].metrics.empty()) return &run.stages[i];
  return nullptr;
}

// "2,000 steps in 4 min 12 s, at 25,310 tokens a second, to a validation loss of 1.874."
std::string lead(const Run& run) {
  const StageRecord* stage = headline(run);
  if (!stage) return "Nothing has been written yet.";
  const Outcome o = outcome(*stage);
  const std::string state = status(*stage);
  std::string out;
  if (run.stages.size() > 1) {
    double seconds = 0;
    for (const StageRecord& each : run.stages)
      if (const double s = outcome(each).seconds; known(s)) seconds += s;
    out = bold(fmt::format("{} stages", run.stages.size()));
    if (seconds > 0) out += " in " + bold(time_for_people(seconds));
    out += fmt::format(". The {}, {}: ", stage == &run.stages.back() ? "last" : "latest", bold(escape(stage->name)));
  }
  if (state == "interrupted") out += out.empty() ? "Interrupted after " : "interrupted after ";
  if (state == "running") out += out.empty() ? "Still running: " : "still running, ";
  std::string said;
  const auto say = [&](const std::string& part) { said += (said.empty() ? "" : ", ") + part; };
  if (known(o.steps)) {
    std::string steps = bold(whole(o.steps) + (o.steps == 1 ? " step" : " steps"));
    if (known(o.seconds) && run.stages.size() == 1) steps += " in " + bold(time_for_people(o.seconds));
    say(steps);
  }
  if (known(o.tokens_per_second)) say("at " + bold(whole(o.tokens_per_second)) + " tokens a second");
  if (known(o.validation_loss))
    say("to a validation loss of " + bold(loss(o.validation_loss)));
  else if (known(o.reward))  // the loss of such a stage says nothing by itself
    say("to a reward of " + bold(number(o.reward)));
  else if (known(o.loss))
    say("to a training loss of " + bold(loss(o.loss)));
  if (known(o.judged))
    say(bold(percent(o.judged)) + " judged good" +
        (known(o.judged_before) ? ", " + bold(percent(o.judged_before)) + " before" : ""));
  if (known(o.accuracy)) say(bold(percent(o.accuracy)) + (o.is_held_out_accuracy ? " right" : " right in training"));
  if (said.empty()) said = state.empty() ? "nothing measured" : escape(state);
  std::string why = state == "failed" ? text(stage->record, {"failure"}) : "";
  if (why.empty()) return out + said + ".";
  if (why.starts_with(stage->name + ": ")) why.erase(0, stage->name.size() + 2);
  return out + (said == state ? "" : said + ", ") + "failed: " + escape(why) + (why.ends_with('.') ? "" : ".");
}

std::string facts(const Json& record) {
  std::string out;
  const auto add = [&](const char* label, const std::string& value) {
    if (!value.empty()) out += fmt::format("<span>{}{}{}</span> ", label, *label ? " " : "", escape(value));
  };
  add("started", text(record, {"started"}));
  const std::string device = text(record, {"device"}), backend = text(record, {"backend"});
  add("", backend + (device.empty() ? "" : (backend.empty() ? "" : " on ") + device));
  add("seed", text(record, {"seed"}));
  add("from", text(record, {"file"}));
  add("Regimen", text(record, {"version"}));
  return out.empty() ? "" : "<p class=\"facts\">" + out + "</p>\n";
}

std::string cards(const Run& run) {
  const StageRecord* stage = headline(run);
  if (!stage) return "";
  const Outcome o = outcome(*stage);
  std::string out;
  const auto card = [&](const char* label, const std::string& value, const std::string& note, const char* kind = "") {
    out += fmt::format("<div class=\"card{}\"><span>{}</span><b>{}</b><small>{}</small></div>\n", kind, label, value,
                       note);
  };
  if (known(o.validation_loss))
    card("validation loss", loss(o.validation_loss),
         o.is_of_tokens && o.validation_loss < 50 ? "perplexity " + number(std::exp(o.validation_loss)) : "", " first");
  if (known(o.accuracy))
    card("accuracy", percent(o.accuracy), o.is_held_out_accuracy ? "on held-out data" : "on a batch in training");
  if (known(o.judged))
    card("judged good", percent(o.judged), known(o.judged_before) ? percent(o.judged_before) + " before" : "",
         " first");
  if (known(o.reward))
    card("reward", number(o.reward),
         o.is_held_out_reward ? "of answers to held-out prompts" : "of answers in training");
  if (known(o.loss) && !known(o.reward)) card("training loss", loss(o.loss), "mean of the last steps");
  if (known(o.steps)) card("steps", whole(o.steps), known(o.tokens) ? whole(o.tokens) + " tokens" : "");
  if (known(o.tokens_per_second)) card("tokens a second", whole(o.tokens_per_second), "while training");
  if (known(o.seconds)) card("time", time_for_people(o.seconds), "");
  const double parameters = real(stage->record, {"model", "parameters"});
  const double trained = real(stage->record, {"model", "trained_parameters"});
  if (known(parameters))
    card("parameters",
         parameters >= 1e9   ? fmt::format("{:.3g}B", parameters / 1e9)
         : parameters >= 1e6 ? fmt::format("{:.3g}M", parameters / 1e6)
                             : whole(parameters),
         known(trained) ? (trained == parameters ? "all trained" : whole(trained) + " trained") : "");
  if (const double memory = real(stage->record, {"result", "peak_memory_bytes"}); memory >= 0)
    card("memory", bytes_for_people(static_cast<uint64_t>(memory)), "at its peak");
  return out.empty() ? "" : "<div class=\"cards\">\n" + out + "</div>\n";
}

std::string plugins(const Json& record) {
  std::string rows;
  for (const Json& plugin : get(record, {"plugins"}))
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        escape(text(plugin, {"kind"})), escape(text(plugin, {"id"})), escape(text(plugin, {"version"})),
                        cell("sha256", get(plugin, {"sha256"})), escape(text(plugin, {"path"})));
  return rows.empty() ? ""
                      : "<section class=\"block wide\"><h3>Plug-ins</h3><table><thead><tr><th>kind</th><th>id</th>"
                        "<th>version</th><th>SHA-256</th><th>file</th></tr></thead><tbody>\n" +
                            rows + "</tbody></table></section>\n";
}

std::string head(const std::string& title) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
         "<title>" +
         title + " - Regimen</title>\n<style>" + style + "</style>\n</head>\n<body>\n";
}

std::string page(const Run& run) {
  const std::string name = escape(text(run.record, {"pipeline"})), title = name.empty() ? "Run" : name;
  std::string out = head(title);
  out += "<header>\n<p class=\"over\">Regimen run</p>\n<h1>" + title + "</h1>\n<p class=\"lead\">" + lead(run) +
         "</p>\n" + facts(run.record) + "</header>\n" + cards(run) + overview(run) + methods_section({&run, 1}) +
         rewards_section(run);
  for (const StageRecord& stage : run.stages) out += stage_section(stage);
  if (const std::string used = plugins(run.record); !used.empty()) out += "<article>\n" + used + "</article>\n";
  const std::string version = escape(text(run.record, {"version"}));
  return out + "<footer>Made by Regimen" + (version.empty() ? "" : " " + version) +
         " from what is beside this file; it is made again with every run.</footer>\n</body>\n</html>\n";
}

std::string page(const std::vector<Run>& runs, const std::vector<fs::path>& folders) {
  const std::string name = escape(text(runs[0].record, {"pipeline"})), title = name.empty() ? "Runs" : name;
  std::string out = head(title);
  out += "<header>\n<p class=\"over\">Regimen comparison</p>\n<h1>" + title + "</h1>\n<p class=\"lead\">" +
         bold(runs.size() == 1 ? "One run" : fmt::format("{} runs", runs.size())) +
         ", methods side by side: means and their standard errors.</p>\n";
  for (size_t i = 0; i < runs.size(); ++i)
    out += fmt::format("<p class=\"facts\"><span>{}</span><span>seed {}</span></p>\n", escape(folders[i].string()),
                       escape(text(runs[i].record, {"seed"})));
  return out + "</header>\n" + methods_section(runs) + "</body>\n</html>\n";
}

}  // namespace
}  // namespace report

std::string write_comparison(const std::vector<fs::path>& folders, const fs::path& file) {
  std::vector<report::Run> runs;
  std::set<fs::path> known;
  for (const fs::path& folder : folders) {
    require(fs::exists(folder / "run.json"), "{}: is not the folder of a run, it has no run.json", folder.string());
    require(known.insert(fs::canonical(folder)).second,
            "{}: is given twice, and its seeds would count twice: give it once", folder.string());
    runs.push_back(report::read_run(folder));
  }
  const std::vector<report::Method> methods = report::methods_of(runs);
  require(!methods.empty(), "{}: fewer than three of its stages have an accuracy, so there is nothing to compare",
          folders[0].string());
  write_file(file, report::page(runs, folders));
  return report::methods_text(methods);
}

void write_report(const fs::path& folder) {
  write_file(folder / "report.html", report::page(report::read_run(folder)));
}

}  // namespace rgm
