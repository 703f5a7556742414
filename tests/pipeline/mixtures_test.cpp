// mixtures_test.cpp - a list where a source of data can be: its parts, their shares, and what is wrong with them.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using testing::HasSubstr;

class Mixtures : public PipelineTest {
 protected:
  static std::string with_data(const std::string& data) { return with_line(6, "    data: " + data); }
};

const char* const two = "{train: [{text: a.txt, share: 0.8}, {tsv: t.tsv, columns: {text: 0}, share: 0.2, rows: 5}]";

TEST_F(Mixtures, AListIsItsParts) {
  ASSERT_EQ(problems(with_data(two + std::string("}"))), "");
  const DataSpec train = read(with_data(two + std::string("}"))).stages[0].data.at("train");
  ASSERT_EQ(train.parts.size(), 2u);
  EXPECT_EQ(train.parts[0].format, "text");
  EXPECT_EQ(train.parts[0].share, 0.8);
  EXPECT_EQ(train.parts[0].rows, 0);
  EXPECT_EQ(train.parts[1].columns[0].from, "0");
  EXPECT_EQ(train.parts[1].share, 0.2);
  EXPECT_EQ(train.parts[1].rows, 5);
  EXPECT_THAT(all_files(train), testing::ElementsAre(folder_ / "data/a.txt", folder_ / "data/t.tsv"));
}

TEST_F(Mixtures, ASplitIsOneOfEachPart) {
  const Stage stage = read(with_data(two + std::string(", validation: {split: 0.25}}"))).stages[0];
  const DataSpec &train = stage.data.at("train"), &held_out = stage.data.at("validation");
  for (const size_t i : {0u, 1u}) {
    EXPECT_EQ(train.parts.at(i).split_end, 0.75);
    EXPECT_EQ(held_out.parts.at(i).split_begin, 0.75);
    EXPECT_EQ(held_out.parts[i].share, 0) << "it is read as a whole";
  }
  EXPECT_EQ(held_out.parts[1].rows, 5) << "of which a quarter";
}

TEST_F(Mixtures, EffectiveHoldsThePartsAndTheirShares) {
  const nlohmann::json data =
      read(with_data(two + std::string(", validation: {split: 0.25}}"))).stages[0].effective["data"];
  const nlohmann::json files = nlohmann::json::array({(folder_ / "data/t.tsv").string()});
  EXPECT_EQ(
      data["train"][1],
      nlohmann::json(
          {{"tsv", files}, {"columns", {{"text", "0"}}}, {"begin", 0.0}, {"end", 0.75}, {"share", 0.2}, {"rows", 5}}));
  EXPECT_EQ(data["validation"][0]["split"], 0.25);
  EXPECT_FALSE(data["validation"][0].contains("share"));
  EXPECT_EQ(read(with_data("{train: {text: a.txt, rows: 3}}")).stages[0].effective["data"]["train"]["rows"], 3);
}

TEST_F(Mixtures, APartIsOfAnEarlierStage) {
  const Pipeline p =
      read(right +
           "  - {name: s, strategy: sample, model: {from: base}, data: {prompts: {jsonl: p.jsonl}}}\n"
           "  - {name: b, strategy: pretrain, model: {from: base}, data: {train: [{from: s}, {text: a.txt}], "
           "validation: {split: 0.5}}, steps: 1}\n");
  EXPECT_EQ(p.stages[2].data.at("train").parts[0].from_stage, "s");
  EXPECT_EQ(p.stages[2].data.at("validation").parts[0].from_stage, "s");
  EXPECT_EQ(p.stages[2].data.at("train").parts[1].from_stage, "");
}

TEST_F(Mixtures, SharesAreAWholeStep) {
  EXPECT_EQ(problems(with_data("{train: [{text: a.txt, share: 0.8}, {text: many, share: 0.1}]}")),
            "6:19: the shares in \"data.train\" add up to 0.9, expected 1");
  EXPECT_EQ(problems(with_data("{train: [{text: a.txt, share: 0.8}, {text: many}]}")),
            "6:47: \"data.train[1]\" has no share, but \"data.train[0]\" has one: give each of them one, or none");
  EXPECT_EQ(problems(with_data("{train: [{text: a.txt, share: 0}, {text: many, share: 1}]}")),
            "6:41: \"data.train[0].share\" is 0, should be above 0 and at most 1");
  EXPECT_EQ(problems(with_data("{train: [{text: a.txt, share: 0.3333333}, {text: a.txt, share: 0.3333333}, "
                               "{text: many, share: 0.3333333}]}")),
            "");
  EXPECT_EQ(problems(with_data("{train: [{text: a.txt}, {text: many}]}")), "");
}

TEST_F(Mixtures, SharesStandWhereAStepDraws) {
  EXPECT_EQ(
      problems(with_data("{train: {text: a.txt, share: 0.5}}")),
      "6:33: \"share\" is how much of each step comes from one of several sources, and this is the only one: leave "
      "it out, or write a list of sources; for a part of the file write begin and end");
  EXPECT_THAT(
      problems(with_data("{train: {text: a.txt}, validation: [{text: a.txt, share: 1}]}")),
      testing::EndsWith(": held-out data is read as a whole, so its parts have no shares: leave \"share\" out"));
  EXPECT_EQ(problems(with_data("{train: {text: a.txt}, validation: [{text: a.txt}, {text: many}]}")), "");
  EXPECT_THAT(problems(right + "  - {name: s, strategy: sample, model: {from: base}, data: {prompts: [{jsonl: p.jsonl, "
                               "share: 1}]}}\n"),
              HasSubstr("strategy \"sample\" goes through its data once, so its parts have no shares"));
}

TEST_F(Mixtures, WhatIsWrongWithAPartHasItsPlace) {
  EXPECT_EQ(problems(with_data("{train: []}")), "6:19: an empty list, expected at least one source: {FORMAT: FILE}");
  EXPECT_EQ(problems(with_data("{train: [a.txt]}")),
            "6:20: \"data.train[0]\" should be a map, {FORMAT: FILE}, got \"a.txt\"");
  EXPECT_THAT(problems(with_data("{train: [{text: a.txt}, {columns: {text: 0}}]}")),
              testing::StartsWith("6:35: \"data.train[1]\" does not say where the data is: "));
  EXPECT_EQ(problems(with_data("{train: [{text: a.txt, max_samples: 3}]}")),
            "6:34: unknown key \"max_samples\" in a source of data: here it is \"rows\", at most the first so many");
  EXPECT_EQ(problems(with_data("{train: {text: a.txt, rows: 0}}")),
            "6:39: \"data.train.rows\" is 0, should be at least 1");
}

}  // namespace
}  // namespace rgm::fake
