// merge.cpp - `regimen merge`: folds adapters into the weights they act on, and checks that nothing else changed.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <boost/program_options.hpp>
#include <cerrno>
#include <charconv>

#include "base/error.hpp"
#include "base/log.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/trained_model.hpp"
#include "pipeline/merged.hpp"

namespace rgm {
namespace {

constexpr std::string_view temporary_mark = ".tmp";

// Removes what merges into the same folder have left that were killed. One whose process is there may be at work.
void remove_unfinished_merges(const fs::path& folder) {
  const std::string begin = folder.filename().string().append(temporary_mark);
  const fs::path parent = folder.has_parent_path() ? folder.parent_path() : fs::path(".");
  std::vector<fs::path> left;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(begin) || !entry.is_directory(ignored)) continue;
    pid_t process = 0;
    const auto [end, error] = std::from_chars(name.data() + begin.size(), name.data() + name.size(), process);
    if (error != std::errc() || end != name.data() + name.size() || process <= 0) continue;
    const bool is_gone = ::kill(process, 0) != 0 && errno == ESRCH;
    if (is_gone || process == ::getpid()) left.push_back(entry.path());
  }
  for (const fs::path& one : left) fs::remove_all(one, ignored);
}

// All of it or nothing.
void save(const Model& model, const fs::path& folder) {
  remove_unfinished_merges(folder);
  const fs::path temporary = fs::path(folder).concat(fmt::format("{}{}", temporary_mark, ::getpid()));
  try {
    fs::create_directories(temporary);
    model.save(temporary);
    replace_folder(temporary, folder);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

}  // namespace

int merge(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  std::string model_folder, out, backend;
  std::vector<std::string> adapters;
  po::options_description shown("Options");
  const auto text = [](std::string& to) { return po::value(&to)->value_name("DIR"); };
  shown.add_options()("model", text(model_folder), "a stage's folder, or the model/ in it")(
      "adapter", po::value(&adapters)->composing()->value_name("DIR"), "a stage's folder, or the adapter/ in it")(
      "out", text(out), "a new folder for the merged model")("backend", po::value(&backend)->value_name("ID"),
                                                             "which backend; otherwise the best usable one");
  const auto given = cli::parse({.command = "merge",
                                 .line = "--model DIR [--adapter DIR]… --out DIR",
                                 .text = "Folds adapters into a model's weights, as far as linear layers can express "
                                         "them, and checks on random tokens\n"
                                         "that the answers stay the same.",
                                 .example = "regimen merge --model runs/tuned/lora --out merged"},
                                shown, arguments);
  if (!given) return 0;
  require(!model_folder.empty(), "merge: which model? As in --model runs/tuned/lora");
  require(!out.empty(), "merge: into which folder? As in --out merged");
  fs::path folder = fs::path(out).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();  // of "merged/"
  require(!fs::exists(folder), "merge: {} already exists: give another folder with --out, or remove it", out);

  cli::TrainedModel model(model_folder, adapters, backend);
  require(model.adapters() != nullptr, "merge: {} has no adapter; give one with --adapter DIR", model_folder);
  const double changed = merge_and_compare("merge", *model, *model.adapters(), "give it with --adapter instead");
  save(*model, folder);
  log::info("merged into {}; its answers differ by {:.2g} of the largest logit", folder.string(), changed);
  return 0;
}

}  // namespace rgm
