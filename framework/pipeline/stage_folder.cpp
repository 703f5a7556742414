// stage_folder.cpp - writes what a stage leaves in its folder, each part whole or not at all, and clears the folder.
#include "pipeline/stage_folder.hpp"

#include <algorithm>

#include "artefact/checkpoint.hpp"
#include "base/log.hpp"
#include "data/content_hash.hpp"
#include "pipeline/micro_batch.hpp"
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

void remove_rows(const fs::path& folder) {
  for (const char* name : {"rows.jsonl", "rows.json", "rows.latest.json"}) fs::remove(folder / name);
}

}  // namespace

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
  remove_rows(folder);
}

std::vector<fs::path> weights_in(const fs::path& folder) {
  std::vector<fs::path> files;
  if (fs::is_directory(folder / "adapter"))
    for (const fs::path& adapter : adapter_folders(folder, true))
      files.push_back(adapter / "adapter_model.safetensors");
  files.push_back(folder / "model" / "model.safetensors");
  std::erase_if(files, [](const fs::path& file) { return !fs::exists(file); });
  return files;
}

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

void remove_checkpoints(const fs::path& folder) {
  Checkpoints(folder / "checkpoint").remove_all();
  remove_older_annotations(folder, 1);
  std::error_code ignored;
  for (const char* name : {"best.safetensors", chosen_file}) fs::remove(folder / name, ignored);
}

void begin_anew(const fs::path& folder) {
  remove_checkpoints(folder);
  remove_rows(folder);
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) fs::remove(entry.path());
}

}  // namespace rgm
