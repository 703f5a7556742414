// plan.cpp - `regimen plan FILE`: stages, sizes, every value in force, memory, tokens and time.
#include "pipeline/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cmath>
#include <cstdio>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/process_here.hpp"
#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "host/host.hpp"
#include "pipeline/aside.hpp"
#include "pipeline/device.hpp"
#include "pipeline/open_stage.hpp"
#include "plugins/options.hpp"

namespace rgm {
namespace {

std::string count(int64_t n) { return count_for_people(static_cast<uint64_t>(n)); }

// Whether it can stand in its line without quotes.
bool is_readable(const std::string& text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' '; };
  return !text.empty() && text.front() != ' ' && text.back() != ' ' && std::ranges::none_of(text, is_control);
}

// optimizer.adamw.beta1  0.9: one line a value, under the name that --set takes.
void print_values(const std::string& above, const nlohmann::json& value) {
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, item] : value.items())
      print_values(above.empty() ? key : fmt::format("{}.{}", above, key), item);
    return;
  }
  const bool is_plain = value.is_string() && is_readable(value.get<std::string>());
  fmt::print("    {:36}  {}\n", above, is_plain ? value.get<std::string>() : value.dump());
}

// `begin` and `end` of a source as they were before `split` of it was held out.
void set_cut(const DataSpec& data, double split, nlohmann::json& source) {
  constexpr double digits = 1e9;  // what division leaves behind them is none of the setting
  if (data.share == 0) source.erase("share");
  for (const char* key : {"begin", "end"}) source.erase(key);
  const double whole = data.split_begin + (data.split_end - data.split_begin) / (1 - split);
  if (data.split_begin > 0) source["begin"] = data.split_begin;
  if (const double end = std::round(whole * digits) / digits; end < 1) source["end"] = end;
}

// What is held out of the training data is a split there, not files with a share of their own.
nlohmann::json as_set(const Stage& stage) {
  nlohmann::json values = stage.effective;
  const std::string main = main_source_of(stage);
  const auto held_out = stage.data.find("validation");
  const double split = held_out == stage.data.end() ? 0 : parts_of(held_out->second)[0].split;
  for (const auto& [name, data] : stage.data) {
    nlohmann::json& source = values["data"][name];
    if (name == "validation" && split > 0) {
      source = {{"split", split}};
      continue;
    }
    const auto parts = parts_of(data);
    for (size_t i = 0; i < parts.size(); ++i)
      set_cut(parts[i], name == main ? split : 0, source.is_array() ? source[i] : source);
  }
  return values;
}

// What holds for every stage: the seed, and the backend with its options; where it chooses the threads, those it chose.
nlohmann::ordered_json values_of(const Pipeline& pipeline, Registry& registry) {
  const DeviceScope scope;
  const auto device = [&] {
    const Quiet quiet;  // which backend it is was said when the plan was made
    return open_device(pipeline.backend, registry);
  }();
  const Choice choice = pipeline.backend ? *pipeline.backend : choose_backend(device->id(), registry);
  nlohmann::ordered_json options = to_json(*choice.config);
  if (const auto given = options.find("threads"); given != options.end() && (given->is_null() || *given == 0))
    options["threads"] = device->info().threads;
  nlohmann::ordered_json all = {{"seed", pipeline.seed}, {"backend", {{choice.id, options}}}};
  if (pipeline.processes) all["processes"] = *pipeline.processes;
  if (pipeline.collective) all["collective"] = {{pipeline.collective->id, to_json(*pipeline.collective->config)}};
  return all;
}

// "*.bias", "all others"; "matrices by muon" where some go by it.
std::string who(const RateCount& rate) {
  const std::string rest = rate.optimizer == "muon" ? "matrices" : "all others";
  return (rate.pattern.empty() ? rest : rate.pattern) + (rate.optimizer.empty() ? "" : " by " + rate.optimizer);
}

void print(const Stage& stage, const StagePlan& plan) {
  fmt::print("stage {}: {}\n", plan.name, plan.strategy);
  const auto line = [](const char* name, const std::string& value) { fmt::print("  {:12}  {}\n", name, value); };
  const bool sparse = plan.active < plan.parameters;
  if (plan.parameters)
    line("parameters", fmt::format("{}, {}{} trained", count(plan.parameters),
                                   sparse ? count(plan.active) + " for each token, " : "", count(plan.trained)));
  for (const RateCount& rate : plan.rates)
    line("rate", fmt::format("{}: {} parameters, {}", rate.learning_rate, count(rate.parameters), who(rate)));
  for (const auto& [name, tokens] : plan.data) line("data", fmt::format("{}: {} tokens", name, count(tokens)));
  if (plan.steps) line("steps", fmt::format("{} of {} rows", count(plan.steps), plan.batch_rows));
  if (plan.chosen_rows)
    line("at once", fmt::format("{} rows, chosen by the memory that is free now", count(plan.chosen_rows)));
  const std::string unknown = "not predicted: " + plan.unknown;
  line("tokens", plan.tokens ? count(plan.tokens) + " read in all steps" : unknown);
  line("memory", plan.memory_bytes ? bytes_for_people(*plan.memory_bytes) + " at the peak" : unknown);
  line("time", plan.seconds
                   ? "about " + time_for_people(*plan.seconds) + ", estimated from steps or products timed here"
                   : unknown);
  fmt::print("  values in force\n");
  print_values("", as_set(stage));
  fmt::print("\n");
}

nlohmann::ordered_json plan_json(const Stage& stage, const StagePlan& plan, const nlohmann::ordered_json& everywhere) {
  nlohmann::ordered_json out = {{"name", plan.name},
                                {"strategy", plan.strategy},
                                {"parameters", plan.parameters},
                                {"trained_parameters", plan.trained},
                                {"steps", plan.steps},
                                {"tokens", plan.tokens}};
  if (plan.active < plan.parameters) out["active_parameters"] = plan.active;
  for (const RateCount& rate : plan.rates) {
    nlohmann::ordered_json one = {{"learning_rate", rate.learning_rate}, {"parameters", rate.parameters}};
    if (!rate.pattern.empty()) one["pattern"] = rate.pattern;
    if (!rate.optimizer.empty()) one["optimizer"] = rate.optimizer;
    out["rates"].push_back(one);
  }
  if (plan.chosen_rows) out["micro_batch"] = plan.chosen_rows;
  if (plan.memory_bytes) out["peak_memory_bytes"] = *plan.memory_bytes;
  if (plan.seconds) out["seconds"] = *plan.seconds;
  if (!plan.unknown.empty()) out["not_predicted"] = plan.unknown;
  out["configuration"] = stage.effective;
  out.update(everywhere);
  return out;
}

}  // namespace

int plan_pipeline(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  ReadOptions read;
  po::options_description shown("Options");
  shown.add_options()("set", po::value(&read.set)->composing()->value_name("KEY=VALUE"),
                      "override a value, as in stages.base.steps=10; the value is YAML")(
      "backend", po::value<std::string>()->value_name("ID"), "use this backend instead of the pipeline's")(
      "processes", po::value<std::string>()->value_name("N"), "so many processes share the work")(
      "collective", po::value<std::string>()->value_name("ID"), "how processes are joined")(
      "json", "print a JSON array, for programs");
  const auto given =
      cli::parse({.command = "plan",
                  .line = "FILE [--set KEY=VALUE]… [--backend ID] [--processes N] [--collective ID] [--json]",
                  .text = "Shows what a run would do: stages, parameters, every value in force, tokens, "
                          "memory and time. Trains nothing.",
                  .example = "regimen plan configs/quickstart.yaml",
                  .places = {"file"}},
                 shown, arguments);
  if (!given) return 0;
  require(given->count("file") > 0, "plan: which file? As in `regimen plan configs/quickstart.yaml`");
  if (given->count("backend")) read.backend = (*given)["backend"].as<std::string>();
  if (given->count("processes")) read.processes = (*given)["processes"].as<std::string>();
  if (given->count("collective")) read.collective = (*given)["collective"].as<std::string>();
  end_at_interrupts();
  Registry registry(host_table());
  const Pipeline pipeline = read_pipeline((*given)["file"].as<std::string>(), read, registry);
  const int64_t processes = pipeline.processes.value_or(1);
  set_process_here({0, static_cast<uint32_t>(processes)});  // times and memory are those of one of them
  const std::vector<StagePlan> plans = plan(pipeline, registry);
  const nlohmann::ordered_json everywhere = values_of(pipeline, registry);
  if (!given->count("json")) {
    fmt::print("pipeline {}{}\n  values in force\n", pipeline.name,
               processes > 1 ? fmt::format(", {} processes, each with a copy of the model", processes) : "");
    print_values("", everywhere);
    fmt::print("\n");
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (size_t i = 0; i < plans.size(); ++i) {
    if (given->count("json"))
      all.push_back(plan_json(pipeline.stages[i], plans[i], everywhere));
    else
      print(pipeline.stages[i], plans[i]);
  }
  if (given->count("json")) fmt::print("{}\n", all.dump(2));
  return 0;
}

}  // namespace rgm
