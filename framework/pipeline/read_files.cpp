// read_files.cpp - the files that a source of data names: found, and looked at as far as that goes without reading
// them.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <span>

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

// Has the folder's file the ending of its format, packed or not?
bool is_of(const std::string& format, const fs::path& file) {
  const std::string ending = format == "text" ? ".txt" : "." + format;
  return fs::path(without_packed_ending(file.filename().string())).extension() == ending;
}

std::string no_files(const std::string& format, const fs::path& folder) {
  const std::string ending = format == "text" ? "txt" : format;
  return fmt::format("the folder {} has no *.{} files in it{}", folder.string(), ending,
                     format == "parquet" ? "" : fmt::format(", and no *.{0}.gz or *.{0}.zst", ending));
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
      const fs::path found = find_file(reader.file, *name);
      std::vector<fs::path> inside;
      if (!fs::is_directory(found))
        inside.push_back(found);
      else
        for (const auto& entry : fs::recursive_directory_iterator(found))
          if (entry.is_regular_file() && is_of(out.format, entry.path())) inside.push_back(entry.path());
      std::sort(inside.begin(), inside.end());
      check_once(one, inside);
      if (inside.empty())
        one.problem(no_files(out.format, found));
      else
        check_files(one, inside.size() == 1 ? inside[0] : found, inside, out.format);
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
