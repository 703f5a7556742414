// read_files.cpp - the files that a source of data names: found, and looked at as far as that goes without reading
// them.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <regex>
#include <span>

#include "base/text.hpp"
#include "base/unpacked_file.hpp"
#include "parquet/rows.hpp"
#include "pipeline/read_source.hpp"

namespace rgm {
namespace {

// Opened to see that it can be; whether all of it is there is seen when it is read.
void look_at(const fs::path& file, const std::string& format) {
  if (format == "parquet") return parquet::look_at(file);
  char byte = 0;
  UnpackedFile(file).read(&byte, 1);
}

// An empty file does no harm beside others in a folder.
void check_files(const Yaml& one, const fs::path& given, std::span<const fs::path> files, const std::string& format) {
  const auto is_closed = [](const fs::path& file) { return ::access(file.c_str(), R_OK) != 0; };
  const auto is_empty = [](const fs::path& file) {
    std::error_code error;
    return fs::is_regular_file(file, error) && fs::is_empty(file, error);
  };
  // A pipe waits for its writer, and what was read of it is gone the next time.
  const auto is_stream = [](const fs::path& file) {
    std::error_code error;
    return fs::exists(file, error) && !fs::is_regular_file(file, error);
  };
  if (const auto stream = std::ranges::find_if(files, is_stream); stream != files.end()) {
    one.problem(fmt::format("{} is a pipe or a device, and data is read more than once: write it into a file first",
                            stream->string()));
    return;
  }
  if (const auto closed = std::ranges::find_if(files, is_closed); closed != files.end()) {
    one.problem(fmt::format("{} cannot be read: {}", closed->string(), std::strerror(errno)));
    return;
  }
  if (std::ranges::all_of(files, is_empty))
    one.problem(fmt::format("{} is empty{}", given.string(), files.size() > 1 ? ", as is every file in it" : ""));
  for (const fs::path& file : files)
    if (fs::is_regular_file(file)) look_at(file, format);
}

std::vector<fs::path> files_in(const fs::path& folder, const std::string& format) {
  const std::string ending = format == "text" ? ".txt" : "." + format;
  const auto is_of_format = [&](const fs::path& file) {
    const std::string name = file.filename().string();
    return fs::path(format == "parquet" ? name : without_packed_ending(name)).extension() == ending;
  };
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && is_of_format(entry.path())) out.push_back(entry.path());
  std::ranges::sort(out);
  return out;
}

// train-00000-of-00002.parquet: a part of `train`, as the Hub has them. Of each split, the pattern that names it.
std::map<std::string, fs::path> splits_of(std::span<const fs::path> files) {
  static const std::regex part(R"((.*)-\d{5}-of-\d{5}(\..*))");
  std::map<std::string, fs::path> out;
  std::smatch found;
  for (const fs::path& file : files)
    if (const std::string name = file.filename().string(); std::regex_match(name, found, part))
      out.emplace(found[1], file.parent_path() / (found[1].str() + "-*" + found[2].str()));
  return out;
}

void check_folder(const Yaml& one, const fs::path& folder, std::span<const fs::path> files, const std::string& format) {
  const std::string ending = format == "text" ? "txt" : format;
  if (files.empty())
    one.problem(fmt::format("the folder {} has no *.{} files in it{}", folder.string(), ending,
                            format == "parquet" ? "" : fmt::format(", and no *.{0}.gz or *.{0}.zst", ending)));
  const std::map<std::string, fs::path> splits = splits_of(files);
  if (splits.size() < 2) return;
  std::vector<std::string> names;
  for (const auto& [split, its] : splits) names.push_back(split);
  const auto train = splits.find("train");
  const fs::path pattern = (train == splits.end() ? splits.begin() : train)->second.lexically_relative(folder);
  one.problem(fmt::format("the folder {} has files of {}, which are not read as one: name those of one, as in {}",
                          folder.string(), join(names, " and of "), (fs::path(*one.text()) / pattern).string()));
}

bool is_pattern(const std::string& name) {
  return fs::path(name).filename().string().find_first_of("*?") != std::string::npos;
}

// Who unpacks a file beside the packed one means one of the two.
void check_once(const Yaml& one, std::span<const fs::path> sorted) {
  std::map<std::string, const fs::path*> seen;
  for (const fs::path& file : sorted)
    if (const auto [before, is_new] = seen.emplace(without_packed_ending(file.string()), &file); !is_new)
      one.problem(
          fmt::format("{} and {} are both in the folder, and would both be read: move one of them away, or "
                      "name the files",
                      before->second->string(), file.filename().string()));
}

}  // namespace

const std::vector<std::string>& data_formats() {
  static const std::vector<std::string> all = {"text", "jsonl", "json", "csv", "tsv", "parquet"};
  return all;
}

void read_files(Reader& reader, const Yaml& given, DataSpec& out) {
  for (const Yaml& one : given.one_or_list()) {
    const auto name = one.text();
    if (!name) continue;
    try {
      std::vector<fs::path> inside;
      if (is_pattern(*name)) inside = find_matching(reader.file, *name);
      const fs::path found = inside.empty() ? find_file(reader.file, *name) : inside[0];
      if (inside.empty() && fs::is_directory(found)) {
        inside = files_in(found, out.format);
        check_folder(one, found, inside, out.format);
      } else if (inside.empty()) {
        inside = {found};
      }
      check_once(one, inside);
      if (!inside.empty()) check_files(one, inside.size() == 1 ? inside[0] : found, inside, out.format);
      out.files.insert(out.files.end(), inside.begin(), inside.end());
    } catch (const Error& e) {
      one.problem(e.what());
    } catch (const fs::filesystem_error& e) {
      one.problem(fmt::format("\"{}\" cannot be read: {}", *name, e.code().message()));
    }
  }
  if (given.is_list() && given.node().size() == 0) given.problem("an empty list, expected at least one file");
}

}  // namespace rgm
