// run_stage.cpp - opens a stage, trains it, writes what it leaves, and says so.
#include "pipeline/run_stage.hpp"

#include <map>
#include <optional>

#include "base/crash.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "pipeline/adapter_guard.hpp"
#include "pipeline/inputs.hpp"
#include "pipeline/memory_check.hpp"
#include "pipeline/micro_batch.hpp"
#include "pipeline/stage_folder.hpp"

namespace rgm {
namespace {

void say_opened(const Stage& stage, const OpenedStage& opened) {
  std::string data;
  const auto people = [](int64_t n) { return count_for_people(static_cast<uint64_t>(n)); };
  for (const auto& [name, source] : opened.setup.sources) {
    const bool has_tokens = source->tokens() > 0;
    data += fmt::format("; {} {} {}", name, people(has_tokens ? source->tokens() : source->units()),
                        has_tokens ? "tokens" : "rows");
    if (source->counted() != source->tokens()) data += fmt::format(", {} of them counted", people(source->counted()));
  }
  const Parameters& all = opened.model->parameters();
  std::string kept;
  if (const int64_t n = all.narrow_count(); n > 0) kept += fmt::format(", {} kept in bfloat16", people(n));
  if (const int64_t n = all.quantized_count(); n > 0) kept += fmt::format(", {} kept in four bits", people(n));
  log::info("stage {}: {}, {} parameters, {} trained{}{}", stage.name, stage.strategy.id, people(opened.parameters()),
            people(opened.trained_parameters()), kept, data);
}

void say_result(const Stage& stage, const Record& record, const fs::path& folder) {
  const Record& result = record.at("result");
  std::string line = fmt::format("stage {}: done", stage.name);
  using Named = std::pair<const char*, const char*>;
  for (const auto& [key, name] :
       {Named{"validation_loss", "validation loss"}, Named{"accuracy", "accuracy"}, Named{"reward", "reward"}})
    if (result.contains(key) && result[key].is_number())
      line += fmt::format(", {} {:.4f}", name, result[key].get<double>());
  if (result.contains("seconds")) line += fmt::format(", {}", time_for_people(result["seconds"].get<double>()));
  log::info("{}; it is in {}", line, folder.string());
  if (const auto note = result.find("note"); note != result.end() && note->is_string())
    log::info("{}: {}", stage.name, note->get<std::string>());
  const Record& samples = record.at("samples");
  if (!samples.empty())
    log::info("a sample:\n{}{}", samples.back().value("prompt", ""), samples.back().value("text", ""));
}

// Of a stage that did not end well, for the report; not into a folder that is another run's by now.
void keep_record(const Record& record, const fs::path& file, const Surroundings& around) {
  if (!is_first(*around.processes)) return;
  try {
    if (around.check_folder) around.check_folder();
    write_record(file, record);
  } catch (const std::exception&) {}  // the first mistake is the one to tell
}

// What an earlier run has made and recorded stays: undone, the mistake costs nothing.
void keep_failure_to_open(const Stage& stage, const std::string& why, const fs::path& file,
                          const Surroundings& around) {
  if (!is_first(*around.processes)) return;
  try {
    if (read_record(file).value("status", "") == "done") return;
  } catch (const std::exception&) {
    return;
  }
  keep_record({{"stage", stage.name},
               {"strategy", stage.strategy.id},
               {"status", "failed"},
               {"failure", why},
               {"configuration", stage.effective}},
              file, around);
}

OpenedStage open_or_record(const Stage& stage, const Stage& given, size_t index, const Surroundings& around,
                           const fs::path& file) {
  try {
    return open_stage(stage, index, around);
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& e) {
    keep_failure_to_open(given, e.what(), file, around);
    throw;
  }
}

TrainResult train_or_record(OpenedStage& opened, Record& record, const fs::path& file, const Surroundings& around) {
  try {
    const WhatFollows step("finishing this step and writing a checkpoint");
    TrainResult trained = train(opened.setup);
    if (around.check_folder) around.check_folder();
    return trained;
  } catch (const Interrupted&) {
    record["status"] = "interrupted";
    keep_record(record, file, around);
    throw;
  } catch (const std::exception& e) {
    record["status"] = "failed";
    record["failure"] = e.what();
    keep_record(record, file, around);
    throw;
  }
}

// The weights before the stage, to tell what it has changed.
struct Before {
  std::string base;
  std::vector<Adapters*> adapters = {};
  std::map<std::string, std::string> hashes = {};  // of these
};

// A head of its own is no part of the base.
std::string hash_of_base(const OpenedStage& opened) { return opened.model->parameters().sha256("score.weight"); }

Before before_stage(const OpenedStage& opened) {
  Before out{.base = hash_of_base(opened)};
  if (opened.setup.strategy->loss) out.adapters = opened.adapter_sets();
  out.hashes = hashes_of(out.adapters);
  return out;
}

void begin_folder(const Stage& stage, const fs::path& folder, bool anew) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    invalid("{}: cannot be created: {}; choose another folder with --out DIR", folder.string(), error.message());
  if (anew) begin_anew(folder);
  set_crash_note(fmt::format("It was in stage {}. What is in {} is intact: the same command continues from there.",
                             stage.name, folder.string()));
}

// All that later stages and people find, and stage.json last.
void leave_results(const Stage& stage, const OpenedStage& opened, const TrainResult& trained, const Before& before,
                   Record record, const Surroundings& around) {
  const fs::path& folder = opened.setup.folder;
  const std::string base = hash_of_base(opened);
  const bool base_changed = base != before.base;
  Record result(trained.result);
  record["samples"] = Record(trained.samples);
  record["timings"] = Record(trained.timings);
  // What plug-ins filed while the stage began counts too.
  record["model"]["parameters"] = opened.parameters();
  record["model"]["trained_parameters"] = opened.trained_parameters();
  result["trained_parameters"] = opened.trained_parameters();
  result["base_unchanged"] = !base_changed;
  for (const std::string& id : unchanged(before.hashes, hashes_of(before.adapters))) {
    result["adapter_unchanged"].push_back(id);
    log::warning("stage {}: the adapter \"{}\" did not change at all: look at its sites and the learning rate",
                 stage.name, id);
  }
  if (!opened.setup.strategy->loss) {
    result["weights_sha256_before"] = before.base;
    result["weights_sha256_after"] = base;
  }
  write_artefacts(stage, opened, base_changed, around);
  const Record files = files_in(folder, opened);
  // Of the one file there is, or of the hashes of several.
  if (const std::vector<fs::path> weights = weights_in(folder); opened.setup.strategy->loss) {
    std::vector<std::string> hashes;
    hashes.reserve(weights.size());
    for (const fs::path& file : weights) hashes.push_back(files.at(file.lexically_relative(folder).string()));
    record["hashes"]["result"] = result["sha256"] = hashes.size() == 1 ? hashes[0] : sha256(join(hashes, ""));
  }
  result["peak_memory_bytes"] = peak_memory();
  record["result"] = std::move(result);
  record["files"] = files;
  record["status"] = "done";
  write_record(folder / "stage.json", record);
  // Only now: until the result is on disk, the checkpoint is all there is.
  remove_checkpoints(folder);
  say_result(stage, record, folder);
}

void run_together(const Stage& given, size_t index, const Surroundings& around, const Record& hashes, uint32_t threads,
                  bool anew) {
  ProcessGroup& processes = *around.processes;
  const fs::path folder = around.run / given.name, file = folder / "stage.json";
  from_first(processes, [&] { return begin_folder(given, folder, anew), std::string(); });
  const Stage stage = with_rows_of_run(given, index, around, hashes.at("training"));
  from_first(processes, [&] { return check_memory(stage, index, around), std::string(); });
  // What the stage before left idle is none of this one's memory.
  current_device().trim();
  give_back_memory();
  reset_peak_memory();
  std::optional<OpenedStage> opened;  // the others find what the first one has read of the data in the cache
  first_then_others(processes, [&] { opened.emplace(open_or_record(stage, given, index, around, file)); });
  TrainSetup& setup = opened->setup;
  setup.check_folder = around.check_folder;
  setup.inputs_sha256 = hashes.at("inputs");
  setup.training_sha256 = hashes.at("training");
  setup.training_inputs = training_inputs(given, index, around, current_device(), hashes, threads);
  setup.train->processes = &processes;
  Record record = stage_record(stage, *opened, hashes);
  record["made_with"] = made_with(around, current_device(), threads);
  Before before;
  from_first(processes, [&] {
    say_opened(stage, *opened);
    if (around.check_folder) around.check_folder();
    write_record(file, record);
    before = before_stage(*opened);
    return std::string();
  });
  const TrainResult trained = train_or_record(*opened, record, file, around);
  from_first(processes, [&] {
    leave_results(stage, *opened, trained, before, record, around);
    return std::string();
  });
}

}  // namespace

void run_stage(const Stage& stage, size_t index, const Surroundings& around, const Record& hashes, uint32_t threads,
               bool anew) {
  ProcessGroup& processes = *around.processes;
  if (processes.size() == 1 || stage.strategy.component->table<rgm_strategy>().loss)
    return run_together(stage, index, around, hashes, threads, anew);
  Surroundings one = around;
  one.processes = alone();
  from_first(processes, [&] { return run_together(stage, index, one, hashes, threads, anew), std::string(); });
}

}  // namespace rgm
