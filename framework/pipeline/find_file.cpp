// find_file.cpp - where data lies: beside the pipeline, in $REGIMEN_DATA, in data/ at the project's root.
#include <algorithm>
#include <cstdlib>

#include "base/text.hpp"
#include "pipeline/reader.hpp"

namespace rgm {
namespace {

struct Origin {
  const char *name, *from;
};
constexpr Origin origins[] = {
    {"shakespeare.txt",
     "tinyshakespeare: input.txt in https://github.com/karpathy/char-rnn/tree/master/data/tinyshakespeare"},
    {"jigs.abc",
     "the Nottingham music database in ABC, https://github.com/jukedeck/nottingham-dataset, ABC_cleaned/jigs.abc"},
    {"sst2-train.tsv", "the Stanford Sentiment Treebank, https://github.com/clairett/pytorch-sentiment-classification"},
    {"sst2-dev.tsv", "the Stanford Sentiment Treebank, https://github.com/clairett/pytorch-sentiment-classification"},
    {"gsm8k-train.jsonl", "https://github.com/openai/grade-school-math, grade_school_math/data/train.jsonl"},
    {"gsm8k-rankings.jsonl",
     "made from https://github.com/openai/grade-school-math, grade_school_math/data/example_model_solutions.jsonl: a "
     "line a question with prompt, responses (four) and ranks (1 the best, ties are equal)"},
    {"stories.txt",
     "written by `regimen-stories --bytes 400000 --seed 1 --out stories.txt`, a program beside regimen, as the build "
     "does"},
};

// The nearest folder around the pipeline that has a data/; else the one that should get it.
fs::path data_of_project(const fs::path& pipeline) {
  std::error_code error;
  const fs::path start = fs::absolute(pipeline, error).lexically_normal().parent_path();
  for (fs::path folder = start; folder.has_relative_path(); folder = folder.parent_path())
    if (fs::is_directory(folder / "data", error)) return folder / "data";
  for (fs::path folder = start; folder.has_relative_path(); folder = folder.parent_path())
    if (fs::is_directory(folder / "configs", error)) return folder / "data";
  return start / "data";
}

// Where a file of that name may be, best first.
std::vector<fs::path> places_of(const fs::path& pipeline, const std::string& name) {
  std::vector<fs::path> out = {pipeline.parent_path() / name};  // an absolute name stays itself
  if (fs::path(name).is_absolute()) return out;
  if (const char* const variable = std::getenv("REGIMEN_DATA"); variable && *variable)
    out.push_back(fs::path(variable) / name);
  out.push_back(data_of_project(pipeline) / name);
  return out;
}

}  // namespace

std::vector<fs::path> find_matching(const fs::path& pipeline, const std::string& pattern) {
  std::error_code error;
  for (const fs::path& place : places_of(pipeline, pattern)) {
    if (fs::is_regular_file(place, error)) return {place};  // it is called so
    std::vector<fs::path> found;
    const fs::path folder = place.parent_path();
    for (const auto& entry : fs::directory_iterator(folder.empty() ? "." : folder, error))
      if (matches(place.filename().string(), entry.path().filename().string()) && entry.is_regular_file(error))
        found.push_back(folder / entry.path().filename());
    std::ranges::sort(found);
    if (!found.empty()) return found;
  }
  return {};
}

fs::path find_file(const fs::path& pipeline, const std::string& name) {
  const std::vector<fs::path> candidates = places_of(pipeline, name);
  const bool absolute = fs::path(name).is_absolute();
  const fs::path project = data_of_project(pipeline);
  std::vector<std::string> looked;
  std::error_code error;
  for (const fs::path& candidate : candidates) {
    if (!name.empty() && fs::exists(candidate, error)) return candidate;
    looked.push_back(candidate.string());
  }
  std::string text = fmt::format("there is no file \"{}\" (looked for {})", name, join(looked));
  if (name.starts_with('~') || name.find('$') != std::string::npos)
    text += ": ~ and $VARIABLE are not expanded here, so write the path in full";
  else if (fs::path(name).parent_path().string().find_first_of("*?") != std::string::npos)
    text += ": * and ? stand for a part of the file's name, not of a folder's";
  else if (!absolute)
    text += fmt::format(": put it into {}, or set REGIMEN_DATA to the folder that has it", project.string());
  for (const Origin& origin : origins)
    if (fs::path(name).filename() == origin.name) text += fmt::format("; it is {}", origin.from);
  invalid("{}", text);
}

}  // namespace rgm
