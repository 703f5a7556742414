// is_done.cpp - whether an earlier run finished a stage: with the same inputs, and what it left is still there.
#include <algorithm>
#include <span>

#include "base/log.hpp"
#include "base/sha256.hpp"
#include "data/content_hash.hpp"
#include "pipeline/stage_folder.hpp"

namespace rgm {
namespace {

// Without these nobody can open the weights.
bool lacks_its_companions(const fs::path& weights) {
  const fs::path folder = weights.parent_path();
  if (weights.filename() == "adapter_model.safetensors") return !fs::exists(folder / "adapter_config.json");
  return !fs::exists(folder / "config.json") || !fs::exists(folder / "tokenizer.json");
}

// All of them, tensors as they were left. What people can edit, such as rows or a chat template, is taken as it is, and
// not overwritten.
bool are_there(const Record& files, const fs::path& folder, const fs::path& cache) {
  std::vector<std::string> edited;
  for (const auto& [name, hash] : files.items()) {
    const fs::path file = folder / name;
    if (!hash.is_string() || !fs::is_regular_file(file)) return false;
    if (content_hash(std::span(&file, 1), cache) == sha256(hash.get<std::string>())) continue;
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
  return !files.empty() && content_hash(files, cache) == (files.size() == 1 ? sha256(result) : result);
}

}  // namespace rgm
