// run.cpp - runs the stages of a pipeline in order.
#include "pipeline/run.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "pipeline/device.hpp"
#include "pipeline/inputs.hpp"
#include "pipeline/made_again.hpp"
#include "pipeline/record.hpp"
#include "pipeline/rehearse.hpp"
#include "pipeline/run_lock.hpp"
#include "pipeline/run_stage.hpp"
#include "pipeline/stage_folder.hpp"
#include "pipeline/taken_stages.hpp"
#include "train/report.hpp"

namespace rgm {
namespace {

void check_only(const Pipeline& pipeline, const std::string& only) {
  std::vector<std::string> names;
  for (const Stage& stage : pipeline.stages) names.push_back(stage.name);
  if (only.empty() || std::count(names.begin(), names.end(), only)) return;
  invalid("there is no stage \"{}\"{} (the stages are: {})", only, did_you_mean(only, names), join(names));
}

// What is to be done with a stage; where several processes run it, the first one finds out.
struct Next {
  bool runs = false;
  uint32_t threads = 0;  // that the hashes are over
  Record hashes = Record::object();
};

Next next_of(const Stage& stage, size_t index, const Surroundings& around, const RunOptions& options,
             const Device& device, bool& rehearsed) {
  const fs::path folder = around.run / stage.name;
  if (!options.only.empty()) check_taken(stage, around, device);
  const Record before = read_record(folder / "stage.json");
  Next next{.threads = threads_counted(before, around, device)};
  next.hashes = hash_inputs(stage, index, around, device, next.threads);
  if (!options.force && is_done(before, next.hashes, folder, around.cache)) {
    log::info("stage {}: unchanged, not run again", stage.name);
    remove_checkpoints(folder);
    require_demands(stage, folder);
    return next;
  }
  next.runs = true;
  const Record status = before.value("status", Record());
  const std::string why = status == "done" && !options.force ? why_again(stage, before, next.hashes) : "";
  if (options.only.empty() && !std::exchange(rehearsed, true) && index + 1 < around.pipeline.stages.size())
    if (const auto problems = rehearse(around.pipeline, around.registry, around.cache, device); !problems.empty())
      invalid("{}", fmt::join(problems, "\n"));
  if (interrupted()) throw Interrupted(fmt::format("interrupted before stage {}", stage.name));
  if (!why.empty()) log::info("stage {}: made again, because {}", stage.name, why);
  return next;
}

// Of other plug-ins the weights tell, where they compute otherwise.
void require_same_inputs(const Stage& stage, size_t index, const Surroundings& around, const Device& device,
                         const Next& next) {
  from_each(*around.processes, [&] {
    if (is_first(*around.processes)) return std::string();
    const Record own = hash_inputs(stage, index, around, device, next.threads);
    std::vector<std::string> others;
    for (const auto& [key, hash] : next.hashes.items())
      if (key != "inputs" && key != "training" && !key.starts_with("plugin.") && own.value(key, Record()) != hash)
        others.push_back(key);
    require(others.empty(),
            "stage {}: process {} reads other content than process 0 (in {}): all processes have to run the same file, "
            "with the same data and models",
            stage.name, around.processes->rank(), join(others));
    return std::string();
  });
}

Next agreed_next(const Stage& stage, size_t index, const Surroundings& around, const RunOptions& options,
                 const Device& device, bool& rehearsed) {
  ProcessGroup& processes = *around.processes;
  if (any_of_them(processes, processes.size() > 1 && interrupted()))
    throw Interrupted(fmt::format("interrupted before stage {}", stage.name));
  Next next;
  const std::string text = from_first(processes, [&] {
    next = next_of(stage, index, around, options, device, rehearsed);
    return Record{{"runs", next.runs}, {"threads", next.threads}, {"hashes", next.hashes}}.dump();
  });
  if (processes.size() == 1) return next;
  const Record all = Record::parse(text);
  next = {all.at("runs"), all.at("threads"), all.at("hashes")};
  if (next.runs) require_same_inputs(stage, index, around, device, next);
  return next;
}

void run_stages(const Surroundings& around, const RunOptions& options, const Device& device) {
  const Pipeline& pipeline = around.pipeline;
  const fs::path& folder = around.run;
  bool rehearsed = false;
  std::chrono::steady_clock::time_point reported{};
  for (size_t i = 0; i < pipeline.stages.size(); ++i) {
    const Stage& stage = pipeline.stages[i];
    if (!options.only.empty() && stage.name != options.only) continue;
    const Next next = agreed_next(stage, i, around, options, device, rehearsed);
    if (!next.runs) continue;
    run_stage(stage, i, around, next.hashes, next.threads, options.force);
    from_first(*around.processes, [&] {
      // It is of all stages, so that many short ones would be read again and again.
      if (std::chrono::steady_clock::now() - reported > std::chrono::seconds(1)) {
        write_report(folder);
        reported = std::chrono::steady_clock::now();
      }
      require_demands(stage, folder / stage.name);
      return std::string();
    });
  }
}

void check_batches(const Pipeline& pipeline, const RunOptions& options, int processes) {
  for (const Stage& stage : pipeline.stages)
    if ((options.only.empty() || stage.name == options.only) && stage.strategy.component->table<rgm_strategy>().loss)
      require_enough_rows(stage.name, stage.batch, processes);
}

// What the first process does on the disk.
void begin_run(const Surroundings& around, const Device& device, const std::string& started) {
  const fs::path& folder = around.run;
  // Not everywhere below it: the folder may hold more than this run.
  remove_unfinished(folder, Depth::here);
  remove_unfinished(around.cache, Depth::below);
  for (const Stage& stage : around.pipeline.stages) remove_unfinished(folder / stage.name, Depth::below);
  write_record(folder / "run.json", run_record(around.pipeline, device, around.registry, started));
}

}  // namespace

void run(const Pipeline& pipeline, const RunOptions& options, Registry& registry) {
  ProcessGroup& processes = options.processes ? *options.processes : *alone();
  check_only(pipeline, options.only);
  check_batches(pipeline, options, processes.size());
  const fs::path folder = options.out.empty() ? fs::path("runs") / pipeline.name : options.out;
  std::optional<RunLock> lock;
  from_first(processes, [&] {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
      invalid("{}: cannot be created: {}; choose another folder with --out DIR", folder.string(), error.message());
    lock.emplace(folder);
    return std::string();
  });
  const DeviceScope scope;
  std::shared_ptr<Device> device;
  from_each(processes, [&] { return device = open_device(pipeline.backend, registry), std::string(); });
  const auto check_folder = [&] {
    if (lock) lock->check();
  };
  const Surroundings around{pipeline, registry, folder, folder / "cache", nullptr, check_folder, &processes};
  const std::string started = time_now();
  from_first(processes, [&] { return begin_run(around, *device, started), std::string(); });
  try {
    run_stages(around, options, *device);
  } catch (...) {  // what there is so far can be looked at
    if (!lock) throw;
    try {
      lock->check();
      write_report(folder);
    } catch (const std::exception&) {}  // a full disk, or another folder, is told by what met it first
    throw;
  }
  if (!lock) return;
  lock->check();
  // Plug-ins that a stage found on its way, as for a saved adapter, are loaded by now.
  write_record(folder / "run.json", run_record(pipeline, *device, registry, started));
  write_report(folder);
  log::info("everything is in {}; the report is {}", folder.string(), (folder / "report.html").string());
}

}  // namespace rgm
