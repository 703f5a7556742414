// report_stage.cpp - a stage: curves first, then what the model writes, then how it was made.
#include "train/report_stage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "train/report_details.hpp"
#include "train/report_text.hpp"

namespace rgm::report {

namespace {

double last_finite(const Line* line) {
  if (line)
    for (size_t i = line->y.size(); i-- > 0;)
      if (std::isfinite(line->y[i])) return line->y[i];
  return NAN;
}
double either(double first, double second) { return std::isfinite(first) ? first : second; }

std::string block(const char* title, const std::string& body) {
  return body.empty() ? "" : fmt::format("<section class=\"block\"><h3>{}</h3>\n{}</section>\n", title, body);
}
// gpt2   4 layers   128 channels   809,856 parameters, all trained
std::string model_line(const Json& record) {
  const Json& model = get(record, {"model"});
  std::string out;
  const auto add = [&](const std::string& part) {
    if (!part.empty()) out += "<span>" + part + "</span> ";
  };
  add(escape(text(model, {"family"})));
  for (const char* key : {"layers", "heads", "channels"})
    if (const double n = real(model, {key}); std::isfinite(n)) add(whole(n) + " " + key);
  for (const char* key : {"context", "vocabulary"})
    if (const double n = real(model, {key}); std::isfinite(n)) add(fmt::format("{} {}", key, whole(n)));
  const double all = real(model, {"parameters"});
  const double trained = either(real(model, {"trained_parameters"}), real(record, {"result", "trained_parameters"}));
  if (!std::isfinite(all)) return out;
  std::string parameters = whole(all) + " parameters";
  if (trained == all)
    parameters += ", all trained";
  else if (trained > all)
    parameters += fmt::format("; {} trained, with what the strategy adds", whole(trained));
  else if (std::isfinite(trained) && all > 0)
    parameters += fmt::format(", {} trained ({})", whole(trained), percent(trained / all));
  add(parameters);
  return out;
}

std::string curves(const StageRecord& stage) {
  const Line none, *loss = stage.find("loss"), *held_out = stage.find("validation_loss");
  std::string out =
      draw({.title = "Loss", .line = loss ? *loss : none, .points = held_out ? *held_out : none, .prominent = true});
  std::string small;
  const auto add = [&](const std::string& name, const Line& line) {
    const Line* points = stage.find("validation_" + name);
    small += draw({.title = words(name), .line = line, .points = points ? *points : none});
  };
  const auto known = {"learning_rate", "gradient_norm", "tokens_per_second"};
  for (const char* name : known)
    if (const Line* line = stage.find(name)) add(name, *line);
  for (const auto& [name, line] : stage.metrics) {
    const bool drawn = name == "loss" || name == "validation_loss" || name == "tokens" ||
                       std::find(known.begin(), known.end(), name) != known.end() ||
                       (name.starts_with("validation_") && stage.find(name.substr(11)));
    if (!drawn) add(name, line);
  }
  if (!small.empty()) out += "<div class=\"grid\">\n" + small + "</div>\n";
  return out;
}

std::string sample(const Json& one) {
  const std::string prompt = text(one, {"prompt"}), all = text(one, {"text"});
  const bool repeats = !prompt.empty() && all.starts_with(prompt);
  const std::string rest = repeats ? all.substr(prompt.size()) : all;
  const double reward = real(one, {"reward"});
  return fmt::format("<pre>{}{}</pre>\n", prompt.empty() ? "" : "<span class=\"prompt\">" + escape(prompt) + "</span>",
                     escape(rest)) +
         (std::isfinite(reward) ? "<p class=\"note\">reward " + number(reward) + "</p>\n" : "");
}

// The last step's samples stand open; earlier ones, which show the way there, unfold.
std::string samples(const Json& record) {
  const Json& all = get(record, {"samples"});
  if (!all.is_array() || all.empty()) return "";
  const double last = real(all.back(), {"step"});
  std::string open, earlier;
  for (size_t i = 0; i < all.size();) {
    const double step = real(all[i], {"step"});
    std::string of_step;
    do of_step += sample(all[i++]);
    while (i < all.size() && real(all[i], {"step"}) == step);
    if (step == last || !std::isfinite(last))
      open += of_step;
    else
      earlier += fmt::format("<details><summary>after step {}</summary>{}</details>\n", whole(step), of_step);
  }
  const std::string when = std::isfinite(last) ? fmt::format("<p class=\"note\">after step {}</p>", whole(last)) : "";
  return when + "<div class=\"samples\">" + open + "</div>" + earlier;
}

}  // namespace

std::string status(const StageRecord& stage) { return text(stage.record, {"status"}); }

Outcome outcome(const StageRecord& stage) {
  const Json& result = get(stage.record, {"result"});
  const Line* loss = stage.find("loss");
  Outcome o{};
  o.loss = NAN;
  if (loss) {
    // The mean of the last twentieth: a single batch says little.
    double total = 0, n = 0;
    for (size_t i = loss->y.size() - std::max<size_t>(1, loss->y.size() / 20); i < loss->y.size(); ++i)
      if (std::isfinite(loss->y[i])) total += loss->y[i], n += 1;
    if (n > 0) o.loss = total / n;
  }
  o.validation_loss = either(real(result, {"validation_loss"}), last_finite(stage.find("validation_loss")));
  // What a strategy that evaluates by itself says of held-out data has its own name in the result.
  const double held_out = either(either(real(result, {"validation_accuracy"}), real(result, {"accuracy"})),
                                 last_finite(stage.find("validation_accuracy")));
  o.is_held_out_accuracy = std::isfinite(held_out);
  o.accuracy = either(held_out, last_finite(stage.find("accuracy")));
  o.steps = either(real(result, {"steps"}), loss && !loss->empty() ? loss->x.back() : NAN);
  o.tokens = either(real(result, {"tokens"}), last_finite(stage.find("tokens")));
  o.seconds = real(result, {"seconds"});
  o.is_held_out_reward = std::isfinite(real(result, {"reward"}));
  o.reward = either(real(result, {"reward"}), last_finite(stage.find("reward")));
  const Json& columns = get(stage.record, {"data", "train", "token_columns"});
  o.is_of_tokens = columns == Json::array({"text"}) && !(real(stage.record, {"model", "outputs"}) > 0);
  o.judged = real(result, {"judge_positive"});
  o.judged_before = real(result, {"judge_positive_before"});
  const double training = either(real(stage.record, {"timings", "train"}), o.seconds);
  o.tokens_per_second = training > 0 ? o.tokens / training : last_finite(stage.find("tokens_per_second"));
  return o;
}

std::string stage_section(const StageRecord& stage) {
  const Json& record = stage.record;
  const std::string strategy = text(record, {"strategy"}), state = status(stage);
  std::string out = fmt::format("<article id=\"stage-{0}\">\n<h2>{0}", escape(stage.name));
  if (!strategy.empty()) out += fmt::format(" <span class=\"pill\">{}</span>", escape(strategy));
  if (!state.empty() && state != "done") out += fmt::format(" <span class=\"pill warn\">{}</span>", escape(state));
  out += "</h2>\n";
  if (const std::string line = model_line(record); !line.empty()) out += "<p class=\"model\">" + line + "</p>\n";
  const std::string drawn = curves(stage);
  out += drawn;
  if (drawn.empty()) out += "<p class=\"note\">No metrics were written.</p>\n";
  out += block("What it writes", samples(record));
  out += block("Report card", report_card(record));
  out += block("Result", result(record));
  out += block("Time", timings(record));
  out += block("Configuration", configuration(record));
  out += block("Data", data(record));
  out += block("Files", files(stage) + hashes(record));
  return out + "</article>\n";
}

}  // namespace rgm::report
