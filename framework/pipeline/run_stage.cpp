// run_stage.cpp - opens a stage, trains it, writes what it leaves, and says so.
#include "pipeline/run_stage.hpp"

#include "artefact/checkpoint.hpp"
#include "base/crash.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "data/content_hash.hpp"
#include "pipeline/adapter_guard.hpp"
#include "pipeline/inputs.hpp"
#include "pipeline/memory_check.hpp"
#include "pipeline/open_adapter.hpp"
#include "train/annotations.hpp"

namespace rgm {
namespace {

// Makes folder/<name> from what `write` puts into an empty folder, all of it or nothing.
template <class Write>
void write_folder(const fs::path& folder, const std::string& name, const Write& write) {
  const fs::path temporary = folder / ("." + name + ".new");
  fs::remove_all(temporary);
  fs::create_directories(temporary);
  write(temporary);
  replace_folder(temporary, folder / name);
}

// Where the base of an adapter lies, for people and for PEFT.
std::string base_of(const Stage& stage, const Surroundings& around) {
  const bool taken = !stage.model.from_stage.empty() || !stage.model.from_folder.empty();
  return taken ? fs::absolute(place_of(stage.model, around).model).lexically_normal().string() : "";
}

// What an earlier run of the stage left under another name must not stand beside the result of this one.
void remove_folder(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) failure("{}: cannot be removed: {}", folder.string(), error.message());
}

void write_artefacts(const Stage& stage, const OpenedStage& opened, bool base_changed, const Surroundings& around) {
  const fs::path& folder = opened.setup.folder;
  if (!opened.setup.strategy->loss) {
    for (const char* name : {"model", "adapter"}) remove_folder(folder / name);
    return;
  }
  for (const auto& trained : opened.trained)
    write_folder(folder, trained.first, [&](const fs::path& to) { return trained.second->save(to); });
  // A base that nothing changed is kept once, where it came from; a merged one, and one with new tokens, lie nowhere
  // else.
  const bool keeps_base = opened.adapter_sets().empty() || base_changed || stage.model.merged ||
                          !opened.model->new_tokens().empty() || base_of(stage, around).empty() ||
                          opened.model->extra().count() > 0;
  if (keeps_base && opened.model->parameters().quantized_count() > 0)
    log::warning("stage {}: its model is saved with the weights as they are in four bits, in bfloat16", stage.name);
  if (keeps_base) write_folder(folder, "model", [&](const fs::path& to) { return opened.model->save(to); });
  if (const auto sets = opened.adapter_sets(); !sets.empty()) {
    const std::string base = keeps_base ? "../model" : base_of(stage, around);
    write_folder(folder, "adapter", [&](const fs::path& to) {
      if (const std::string& chat = opened.model->new_chat_template(); !chat.empty() && !keeps_base)
        write_file(to / chat_template_file, chat);
      return opened.ensemble ? save_ensemble(sets, to, base) : sets[0]->save(to, base);
    });
  }
  if (!keeps_base) remove_folder(folder / "model");
  if (opened.adapter_sets().empty()) remove_folder(folder / "adapter");
  for (const char* name : {"rows.jsonl", "rows.json", "rows.latest.json"}) fs::remove(folder / name);
}

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

}  // namespace

namespace {

// What a stage has left: model/, adapter/, or both.
std::vector<fs::path> weights_in(const fs::path& folder) {
  std::vector<fs::path> files;
  if (fs::is_directory(folder / "adapter"))
    for (const fs::path& adapter : adapter_folders(folder, true))
      files.push_back(adapter / "adapter_model.safetensors");
  files.push_back(folder / "model" / "model.safetensors");
  std::erase_if(files, [](const fs::path& file) { return !fs::exists(file); });
  return files;
}

// Without these nobody can open the weights.
bool lacks_its_companions(const fs::path& weights) {
  const fs::path folder = weights.parent_path();
  if (weights.filename() == "adapter_model.safetensors") return !fs::exists(folder / "adapter_config.json");
  return !fs::exists(folder / "config.json") || !fs::exists(folder / "tokenizer.json");
}

// SHA-256 of every file that the stage has left for others, by its place in the folder.
Record files_in(const fs::path& folder, const OpenedStage& opened) {
  std::vector<fs::path> files;
  std::vector<std::string> folders = {"model", "adapter"};
  for (const auto& trained : opened.trained) folders.push_back(trained.first);
  for (const std::string& name : folders)
    if (fs::is_directory(folder / name))
      for (const auto& entry : fs::recursive_directory_iterator(folder / name))
        if (entry.is_regular_file()) files.push_back(entry.path());
  if (fs::exists(folder / "rows.jsonl")) files.push_back(folder / "rows.jsonl");
  std::ranges::sort(files);
  Record out = Record::object();
  for (const fs::path& file : files) out[file.lexically_relative(folder).string()] = file_hash(file);
  return out;
}

// Over the hashes of the files, which are remembered.
std::string hash_of(const std::vector<fs::path>& files, const fs::path& cache) { return content_hash(files, cache); }

// All of them, tensors as they were left. What people can edit, such as rows or a chat template, is taken as it is, and
// not overwritten.
bool are_there(const Record& files, const fs::path& folder, const fs::path& cache) {
  std::vector<std::string> edited;
  for (const auto& [name, hash] : files.items()) {
    const fs::path file = folder / name;
    if (!hash.is_string() || !fs::is_regular_file(file)) return false;
    if (hash_of({file}, cache) == sha256(hash.get<std::string>())) continue;
    if (file.extension() == ".safetensors" || fs::file_size(file) == 0) return false;
    edited.push_back(file.string());
  }
  for (const std::string& file : edited)
    log::info("{}: is not as the stage left it, and is used as it is; --force makes it again", file);
  return true;
}

}  // namespace

bool is_done(const Record& record, const Record& hashes, const fs::path& folder, const fs::path& cache) {
  const auto text = [](const Record& from, const char* key) {
    const auto found = from.find(key);
    return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (text(record, "status") != "done" || !record.contains("hashes") || !record["hashes"].is_object()) return false;
  if (text(record["hashes"], "inputs") != text(hashes, "inputs")) return false;
  if (const auto files = record.find("files"); files != record.end() && files->is_object())
    return !files->empty() && are_there(*files, folder, cache);
  // One that was made before they were recorded.
  const std::string result = text(record["hashes"], "result");
  if (result.empty()) return fs::exists(folder / "rows.jsonl");
  const std::vector<fs::path> files = weights_in(folder);
  if (std::ranges::any_of(files, lacks_its_companions)) return false;
  return !files.empty() && hash_of(files, cache) == (files.size() == 1 ? sha256(result) : result);
}

void remove_checkpoints(const fs::path& folder) {
  Checkpoints(folder / "checkpoint").remove_all();
  remove_older_annotations(folder, 1);
  std::error_code ignored;
  fs::remove(folder / "best.safetensors", ignored);
}

// The stage's folder without what an earlier run left unfinished there.
void begin_anew(const fs::path& folder) {
  remove_checkpoints(folder);
  for (const char* name : {"rows.jsonl", "rows.json", "rows.latest.json"}) fs::remove(folder / name);
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) fs::remove(entry.path());
}

// Of a stage that did not end well, for the report; not into a folder that is another run's by now.
static void keep_record(const Record& record, const fs::path& file, const Surroundings& around) {
  try {
    if (around.check_folder) around.check_folder();
    write_record(file, record);
  } catch (const std::exception&) {}  // the first mistake is the one to tell
}

// What an earlier run has made and recorded stays: undone, the mistake costs nothing.
static void keep_failure_to_open(const Stage& stage, const std::string& why, const fs::path& file,
                                 const Surroundings& around) {
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

void run_stage(const Stage& stage, size_t index, const Surroundings& around, const Record& hashes, bool anew) {
  const fs::path folder = around.run / stage.name, file = folder / "stage.json";
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    invalid("{}: cannot be created: {}; choose another folder with --out DIR", folder.string(), error.message());
  if (anew) begin_anew(folder);
  set_crash_note(fmt::format("It was in stage {}. What is in {} is intact: the same command continues from there.",
                             stage.name, folder.string()));
  check_memory(stage, index, around);
  // What the stage before left idle is none of this one's memory.
  current_device().trim();
  give_back_memory();
  reset_peak_memory();
  std::optional<OpenedStage> fit;
  try {
    fit = open_stage(stage, index, around);
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& e) {
    keep_failure_to_open(stage, e.what(), file, around);
    throw;
  }
  OpenedStage& opened = *fit;
  opened.setup.check_folder = around.check_folder;
  opened.setup.inputs_sha256 = hashes.at("inputs");
  opened.setup.training_sha256 = hashes.at("training");
  opened.setup.training_inputs = training_inputs(stage, index, around, current_device(), hashes);
  Record record = stage_record(stage, opened, hashes);
  say_opened(stage, opened);
  if (around.check_folder) around.check_folder();
  write_record(file, record);

  // A head of its own is no part of the base.
  const auto base = [&] { return opened.model->parameters().sha256("score.weight"); };
  const std::string base_before = base();
  const auto adapters = opened.setup.strategy->loss ? opened.adapter_sets() : std::vector<Adapters*>();
  const auto adapters_before = hashes_of(adapters);
  TrainResult trained;
  try {
    const WhatFollows step("finishing this step and writing a checkpoint");
    trained = train(opened.setup);
    if (around.check_folder) around.check_folder();
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
  const std::string base_after = base();
  const bool base_changed = base_after != base_before;

  Record result(trained.result);
  record["samples"] = Record(trained.samples);
  record["timings"] = Record(trained.timings);
  // What plug-ins filed while the stage began counts too.
  record["model"]["parameters"] = opened.parameters();
  record["model"]["trained_parameters"] = opened.trained_parameters();
  result["trained_parameters"] = opened.trained_parameters();
  result["base_unchanged"] = !base_changed;
  for (const std::string& id : unchanged(adapters_before, hashes_of(adapters))) {
    result["adapter_unchanged"].push_back(id);
    log::warning("stage {}: the adapter \"{}\" did not change at all: look at its sites and the learning rate",
                 stage.name, id);
  }
  if (!opened.setup.strategy->loss) {
    result["weights_sha256_before"] = base_before;
    result["weights_sha256_after"] = base_after;
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
  write_record(file, record);
  // Only now: until the result is on disk, the checkpoint is all there is.
  remove_checkpoints(folder);
  say_result(stage, record, folder);
}

}  // namespace rgm
