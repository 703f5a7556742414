// new.cpp - `regimen new KIND NAME [DIR]`: copies the template of a kind, with the plug-in's name filled in.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "plugins/registry.hpp"

namespace rgm {
namespace {

// first_words -> FirstWords
std::string class_name(std::string_view name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c != '_') out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = c == '_';
  }
  return out;
}

std::string filled(std::string text, const std::vector<std::pair<std::string, std::string>>& values) {
  for (const auto& [key, value] : values)
    for (size_t at = 0; (at = text.find(key, at)) != text.npos; at += value.size()) text.replace(at, key.size(), value);
  return text;
}

// As a shell reads it back: in quotes where it has more than letters and what paths are made of.
std::string quoted(const fs::path& path) {
  std::string text = path.string();
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./+:@%,").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

void check_name(const std::string& name) {
  const bool identifier = !name.empty() && name.size() <= 40 && name[0] >= 'a' && name[0] <= 'z' &&
                          std::all_of(name.begin(), name.end(), [](char c) {
                            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                          });
  require(identifier, "new: the name \"{}\" should be a lower-case identifier, such as \"focal_loss\"", name);
  // Targets that CMake and its generators keep for themselves.
  constexpr std::array<std::string_view, 7> reserved = {"all",     "clean", "help",      "install",
                                                        "package", "test",  "edit_cache"};
  require(std::count(reserved.begin(), reserved.end(), name) == 0,
          "new: \"{}\" is a name that CMake reserves for itself; choose another", name);
}

// Where a project is written, in its folder: nobody finds half of one under its names.
constexpr const char* unfinished = ".unfinished";

// Empty, but for what a killed one may have left.
bool is_free(const fs::path& folder) {
  return std::ranges::all_of(fs::directory_iterator(folder),
                             [](const fs::directory_entry& e) { return e.path().filename() == unfinished; });
}

void fill(const fs::path& from, const fs::path& to, const std::vector<std::pair<std::string, std::string>>& values) {
  const fs::path aside = to / unfinished;
  fs::remove_all(aside);
  for (const fs::directory_entry& e : fs::recursive_directory_iterator(from)) {
    if (!e.is_regular_file()) continue;
    const fs::path file = aside / filled(e.path().lexically_relative(from).string(), values);
    fs::create_directories(file.parent_path());
    write_file(file, filled(read_file(e.path()), values));
    fs::permissions(file, e.status().permissions() & ~(fs::perms::group_write | fs::perms::others_write));
  }
  std::vector<fs::path> made;
  for (const fs::directory_entry& e : fs::directory_iterator(aside)) made.push_back(e.path());
  for (const fs::path& path : made) fs::rename(path, to / path.filename());
  fs::remove(aside);
}

}  // namespace

int new_project(const std::vector<std::string>& arguments) {
  const auto given =
      cli::parse({.command = "new",
                  .line = "KIND NAME [DIR]",
                  .text = "Makes a plug-in project in DIR (by default NAME): CMakeLists.txt, one source, a test and "
                          "pipeline.yaml.\nKIND is strategy, adapter, reward, backend or collective.",
                  .example = "regimen new strategy focal_loss ~/focal_loss",
                  .places = {"kind", "name", "dir"}},
                 {}, arguments);
  if (!given) return 0;
  require(given->count("name") > 0, "new: which kind and name? As in `regimen new strategy focal_loss DIR`");
  const std::string kind = (*given)["kind"].as<std::string>(), name = (*given)["name"].as<std::string>();
  const std::vector<std::string> kinds = {"strategy", "adapter", "reward", "backend", "collective"};
  require(std::count(kinds.begin(), kinds.end(), kind) > 0, "new: kind \"{}\" is not known{} (there are: {})", kind,
          did_you_mean(kind, kinds), join(kinds));
  check_name(name);
  const fs::path to = given->count("dir") ? (*given)["dir"].as<std::string>() : name;
  std::error_code error;
  require(!fs::exists(to) || (fs::is_directory(to) && is_free(to)),
          "new: {} exists and is not an empty folder; choose another", to.string());

  const fs::path prefix = Registry::program_folder().parent_path();
  const fs::path from = prefix / "share" / "regimen" / "template" / kind;
  if (!fs::is_directory(from)) failure("new: the template {} is missing: install the program again", from.string());
  std::string class_of_it = class_name(name) + class_name(kind);
  const std::vector<std::pair<std::string, std::string>> values = {{"@NAME@", name}, {"@CLASS@", class_of_it}};
  const bool was_there = fs::exists(to);
  fs::create_directories(to, error);
  if (error) invalid("new: {} cannot be made: {}", to.string(), error.message());
  try {
    fill(from, to, values);
  } catch (...) {
    fs::remove_all(was_there ? to / unfinished : to, error);
    throw;
  }
  fmt::print(
      "{0} \"{1}\" is in {2}. Build, test and run it:\n\n"
      "  cmake -G Ninja -S {2} -B {3} -DCMAKE_PREFIX_PATH={4}\n"
      "  cmake --build {3}\n"
      "  ctest --test-dir {3} --output-on-failure\n"
      "  {5} run {6}\n",
      kind, name, quoted(to), quoted(to / "build"), quoted(prefix), quoted(Registry::program_folder() / "regimen"),
      quoted(to / "pipeline.yaml"));
  if (const fs::path same = prefix / "lib" / "regimen" / (name + ".so"); fs::exists(same))
    log::warning("{} is there already: installed into the same folder, yours takes its place", same.string());
  return 0;
}

}  // namespace rgm
