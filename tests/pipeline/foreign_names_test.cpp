// foreign_names_test.cpp - names of other tools are answered with ours; those that docs/from-trl.md lists, every one.
#include "pipeline/foreign_names.hpp"

#include <gmock/gmock.h>

#include <regex>
#include <sstream>

#include "base/file.hpp"
#include "fake_components.hpp"
#include "plugins/options.hpp"

namespace rgm::fake {
namespace {

using testing::HasSubstr;
using ForeignNames = PipelineTest;

// The rows of a table of docs/from-trl.md: of each cell the words that stand in backticks, as `bf16` or `clip: 1`.
std::vector<std::vector<std::vector<std::string>>> table_below(const std::string& heading) {
  const std::string page = read_file(fs::path(REGIMEN_SOURCE_DIRECTORY) / "docs/from-trl.md");
  const size_t begin = page.find("## " + heading + "\n");
  std::istringstream lines(page.substr(begin, page.find("\n## ", begin) - begin));
  const std::regex quoted("`\"?([a-z][a-z0-9_-]*)[^`]*`");
  std::vector<std::vector<std::vector<std::string>>> rows;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    std::istringstream cells(line.substr(1));
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, '|');) {
      std::vector<std::string>& words = rows.back().emplace_back();
      for (std::sregex_iterator one(cell.begin(), cell.end(), quoted), end; one != end; ++one)
        words.push_back((*one)[1]);
    }
  }
  return rows;
}

TEST_F(ForeignNames, OfStagesAreAnsweredAsThePageSays) {
  const auto rows = table_below("Keys of a stage");
  ASSERT_GT(rows.size(), 20u);
  for (const auto& row : rows)
    for (const std::string& name : row[0]) EXPECT_NE(answer_to_foreign_name("a stage", name, {}), "") << name;
}

TEST_F(ForeignNames, OfOptionsAreThoseOfThePage) {
  const auto rows = table_below("Options of a plug-in");
  ASSERT_GT(rows.size(), 15u);
  for (const auto& row : rows)
    for (size_t i = 0; i < row[0].size(); ++i) {
      const std::vector<std::string> known = {row[2].at(i)};
      EXPECT_EQ(name_here(row[0][i], known), known[0]) << row[0][i];
    }
}

// `loss_type` is the loss of one method and the average of another.
TEST_F(ForeignNames, MeanWhatTheComponentHas) {
  const std::vector<std::string> pairs = {"beta", "loss"}, groups = {"beta", "average"}, neither = {"rank"};
  EXPECT_EQ(name_here("loss_type", pairs), "loss");
  EXPECT_EQ(name_here("loss_type", groups), "average");
  EXPECT_EQ(name_here("loss_type", neither), "");
}

TEST_F(ForeignNames, OfOptionsInAStageGoToThePlugInThatHasThem) {
  EXPECT_EQ(problems(right + "    adapter: low_rank\n    alpha: 3\n    r: 3\n"),
            "9:5: unknown key \"alpha\" in a stage: it is an option of the adapter: adapter: {low_rank: {alpha: …}}\n"
            "10:5: unknown key \"r\" in a stage: it is an option of the adapter: adapter: {low_rank: {rank: …}}");
  EXPECT_THAT(problems(right + "    alpha: 3\n"), HasSubstr("unknown key \"alpha\" in a stage; it has: name, "));
}

// `clip` of a stage bounds the gradient, and theirs the ratio of probabilities.
TEST_F(ForeignNames, OfOptionsAreNoKeysOfAStage) {
  EXPECT_THAT(problems(right + "    cliprange: 0.2\n"), HasSubstr("unknown key \"cliprange\" in a stage; it has: "));
  EXPECT_EQ(problems(right + "    gradient_clipping: 1\n"),
            "8:5: unknown key \"gradient_clipping\" in a stage: here it is \"clip\"");
}

TEST_F(ForeignNames, OfFourBits) {
  EXPECT_EQ(problems(right + "    load_in_4bit: true\n    load_in_8bit: true\n"),
            "8:5: unknown key \"load_in_4bit\" in a stage: write weights: nf4, for frozen weights in four bits\n"
            "9:5: unknown key \"load_in_8bit\" in a stage: eight bits are not to be had: write weights: bfloat16, or "
            "nf4 for four bits");
  EXPECT_EQ(problems(with_line(5,
                               "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8, "
                               "load_in_4bit: true}")),
            "5:73: unknown key \"load_in_4bit\" in a model: it is a key of the stage: weights: nf4");
}

}  // namespace
}  // namespace rgm::fake
