// run.cpp - runs the stages of a pipeline in order.
#include "pipeline/run.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

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
#include "train/report.hpp"

namespace rgm {
namespace {

void check_only(const Pipeline& pipeline, const std::string& only) {
  std::vector<std::string> names;
  for (const Stage& stage : pipeline.stages) names.push_back(stage.name);
  if (only.empty() || std::count(names.begin(), names.end(), only)) return;
  invalid("there is no stage \"{}\"{} (the stages are: {})", only, did_you_mean(only, names), join(names));
}

// Stages whose models, adapters, rewards or rows it takes.
std::set<std::string> taken_by(const Stage& stage) {
  std::set<std::string> out = {stage.model.from_stage};
  for (const auto& [role, spec] : stage.roles) out.insert(spec.from_stage);
  for (const auto& [source, data] : stage.data)
    for (const DataSpec& part : parts_of(data)) out.insert(part.from_stage);
  for (const std::vector<Choice>* choices : {&stage.adapters, &stage.rewards})
    for (const Choice& choice : *choices) out.insert(choice.from_stage);
  return out;
}

// What went in by its content, and the seed: another backend or a newer plug-in is no reason to make it anew, nor is
// what an older record does not say. What was made of a model that is gone by now is as good as it was.
std::vector<std::string> other_content(const Stage& stage, size_t index, const Record& before,
                                       const Surroundings& around, const Device& device) {
  Record now;
  try {
    now = hash_inputs(stage, index, around, device, device.info().threads);
  } catch (const Error&) {
    return {};
  }
  std::vector<std::string> out;
  for (const auto& [key, hash] : now.items())
    if (!key.starts_with("plugin.") && key != "inputs" && key != "training" && key != "configuration" &&
        before.value(key, hash) != hash)
      out.push_back(key);
  return out;
}

// "report_card.accuracy" in the result; nothing where there is no such number.
std::optional<double> number_in(const Record& result, const std::string& path) {
  const Record* at = &result;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const auto found = at->is_object() ? at->find(path.substr(begin, end - begin)) : at->end();
    if (!at->is_object() || found == at->end()) return std::nullopt;
    at = &*found;
    begin = end + 1;
  }
  return at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

// What later stages build on has to be good enough.
void require_demands(const Stage& stage, const fs::path& folder) {
  if (stage.demands.empty()) return;
  const Record record = read_record(folder / "stage.json"), result = record.value("result", Record::object());
  for (const auto& [name, demand] : stage.demands) {
    const auto value = number_in(result, name);
    if (!value) {
      std::vector<std::string> names;
      for (const auto& [key, item] : result.items())
        if (item.is_number()) names.push_back(key);
      invalid("stage {}: \"{}\" is demanded, but its result has no such number{} (there are: {})", stage.name, name,
              did_you_mean(name, names), join(names));
    }
    const auto refuse = [&, &name = name](const char* side, double bound) {
      failure("stage {}: {} is {:g}, but at {} {:g} is demanded: no later stage is run. Its results are in {}",
              stage.name, name, *value, side, bound, folder.string());
    };
    if (demand.at_least && *value < *demand.at_least) refuse("least", *demand.at_least);
    if (demand.at_most && *value > *demand.at_most) refuse("most", *demand.at_most);
  }
}

// Alone, a stage builds on what earlier ones have left: whole, good enough, and made of what the pipeline has now. So
// do they.
void check_taken(const Stage& stage, const Surroundings& around, const Device& device, std::set<std::string>& seen) {
  const std::set<std::string> taken = taken_by(stage);
  for (size_t i = 0; i < around.pipeline.stages.size(); ++i) {
    const Stage& source = around.pipeline.stages[i];
    if (!taken.contains(source.name) || !seen.insert(source.name).second) continue;
    const fs::path file = around.run / source.name / "stage.json";
    const Record record = read_record(file), status = record.value("status", Record("missing"));
    require(status == "done",
            "stage {0}: it builds on stage \"{1}\", which is not finished ({2}: {3}): run that first, with --only {1} "
            "or without --only",
            stage.name, source.name, file.string(), status.is_string() ? status.get<std::string>() : "damaged");
    check_taken(source, around, device, seen);
    const Record before = record.value("hashes", Record::object());
    const Record made_by = before.is_object() ? before.value("configuration", Record()) : Record();
    const auto refuse = [&](const std::string& what) {
      invalid(
          "stage {0}: it builds on stage \"{1}\", which was made {2}: run that again, with --only {1} or without "
          "--only",
          stage.name, source.name, what);
    };
    if (made_by.is_string() && made_by != configuration_hash(source))
      refuse(fmt::format("with other values than the pipeline has now (in {})",
                         differing(given_values(record), source.effective)));
    if (made_by.is_string())
      if (const auto keys = other_content(source, i, before, around, device); !keys.empty())
        refuse(fmt::format("from other content than there is now (in {})", join(keys)));
    require_demands(source, around.run / source.name);
  }
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
  if (std::set<std::string> seen; !options.only.empty()) check_taken(stage, around, device, seen);
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
