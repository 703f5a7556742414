// read_files.cpp - the files that a source of data names: found, and looked at as far as that goes without reading
// them.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "pipeline/read_source.hpp"

namespace rgm {
namespace {

// An empty file does no harm beside others in a folder.
void check_files(const Yaml& one, const fs::path& given, std::span<const fs::path> files) {
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
  if (const auto stream = std::ranges::find_if(files, is_stream); stream != files.end())
    one.problem(fmt::format("{} is a pipe or a device, and data is read more than once: write it into a file first",
                            stream->string()));
  else if (const auto closed = std::ranges::find_if(files, is_closed); closed != files.end())
    one.problem(fmt::format("{} cannot be read: {}", closed->string(), std::strerror(errno)));
  else if (std::ranges::all_of(files, is_empty))
    one.problem(fmt::format("{} is empty{}", given.string(), files.size() > 1 ? ", as is every file in it" : ""));
}

}  // namespace

const std::vector<std::string>& data_formats() {
  static const std::vector<std::string> all = {"text", "jsonl", "json", "csv", "tsv"};
  return all;
}

void read_files(Reader& reader, const Yaml& given, DataSpec& out) {
  for (const Yaml& one : given.one_or_list()) {
    const auto name = one.text();
    if (!name) continue;
    try {
      const fs::path found = find_file(reader.file, *name);
      std::vector<fs::path> inside;
      const std::string ending = out.format == "text" ? ".txt" : "." + out.format;
      if (!fs::is_directory(found))
        inside.push_back(found);
      else
        for (const auto& entry : fs::recursive_directory_iterator(found))
          if (entry.is_regular_file() && entry.path().extension() == ending) inside.push_back(entry.path());
      std::sort(inside.begin(), inside.end());
      if (inside.empty())
        one.problem(fmt::format("the folder {} has no *{} files in it", found.string(), ending));
      else
        check_files(one, inside.size() == 1 ? inside[0] : found, inside);
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
