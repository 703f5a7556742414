// column_source_test.cpp - examples from rows: columns are found by name or number, and their values checked.
#include <set>

#include "data/column_source.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ColumnSourceTest, ColumnsByNumberHaveNoLineOfNames) {
  const auto source = open("tsv", "ab\t1\nc\t0\n", {text, label}, {{"text", "0", {}}, {"label", "1", {}}});
  EXPECT_EQ(source->units(), 2);
  EXPECT_EQ(source->tokens(), 5);  // each with its end of text
  const Batch batch = source->in_order(0, 2);
  EXPECT_THAT(batch.columns.at("text").integers, ElementsAre('a', 'b', 256, 'c', 256));
  EXPECT_THAT(batch.columns.at("text").segments, ElementsAre(1, 1, 1, 2, 2));
  EXPECT_THAT(batch.columns.at("label").integers, ElementsAre(1, 0));
}

TEST_F(ColumnSourceTest, WithoutAMappingTheComponentsNamesAreMeant) {
  const auto source = open("tsv", "label\ttext\n1\tab\n", {text, label});
  EXPECT_THAT(source->in_order(0, 1).columns.at("text").integers, ElementsAre('a', 'b', 256));
  EXPECT_EQ(open("jsonl", "{\"text\": \"ab\"}\n", {text})->units(), 1);
}

TEST_F(ColumnSourceTest, WhoAsksSeesTheRowOfEveryExample) {
  std::vector<std::string> seen;
  options.see = [&](const Row& row) { seen.push_back(row.dump()); };
  open("jsonl",
       R"({"text": ["ab", "c"], "label": 1, "tags": ["x", "y", "z"]})"
       "\n"
       R"({"label": 0, "text": "d"})"
       "\n",
       {text, label});
  EXPECT_THAT(seen, ElementsAre(R"({"text":"ab","label":1,"tags":["x","y","z"]})",
                                R"({"text":"c","label":1,"tags":["x","y","z"]})", R"({"label":0,"text":"d"})"));
}

TEST_F(ColumnSourceTest, NumbersAreReadAndChecked) {
  const ColumnWish score{"score", RGM_REAL_COLUMN, 0}, note{"note", RGM_TEXT_COLUMN, 0};
  const auto source = open("json",
                           "[{\"score\": 0.5, \"label\": true, \"note\": 7}, "
                           "{\"score\": \"-2e1\", \"label\": \"3\", \"note\": \"x\"}]",
                           {score, label, note});
  const Batch batch = source->in_order(0, 2);
  EXPECT_THAT(batch.columns.at("score").reals, ElementsAre(0.5F, -20));
  EXPECT_THAT(batch.columns.at("label").integers, ElementsAre(1, 3));
  EXPECT_THAT(batch.columns.at("note").texts, ElementsAre("7", "x"));
  for (const std::string bad : {"1.5", "\"good\"", "3000000000", "\"-9223372036854775808\"", "{}", "1e300"})
    EXPECT_THAT(refusal("jsonl", "{\"label\": 1}\n{\"label\": " + bad + "}\n", {label}),
                HasSubstr("data.jsonl:2: \"label\" is"));
  EXPECT_THAT(refusal("jsonl", "{\"score\": \"nan\"}\n", {score}), HasSubstr("a number was expected"));
}

TEST_F(ColumnSourceTest, AMissingColumnIsAnsweredWithThoseThereAre) {
  const std::string said = refusal("jsonl", "{\"text\": \"a\", \"labl\": 1}\n", {text, label});
  EXPECT_THAT(said, HasSubstr("data.jsonl:1: there is no \"label\""));
  EXPECT_THAT(said, HasSubstr("there are text, labl"));
  EXPECT_THAT(said, HasSubstr("did you mean \"labl\"?"));
  EXPECT_THAT(refusal("tsv", "good\t1\n bad\t0\n", {text}), HasSubstr("by number"));
  EXPECT_THAT(refusal("jsonl", "{\"text\": \"a\"}\n{\"txt\": \"a\"}\n", {text}), HasSubstr("data.jsonl:2"));
  EXPECT_THAT(refusal("jsonl", "", {text}), HasSubstr("has no examples"));
  EXPECT_THAT(refusal("jsonl", "{\"text\": \"a\"}\n", {text}, {{"txt", "text", {}}}), HasSubstr("nothing here reads"));
}

TEST_F(ColumnSourceTest, WhatIsNoTextIsNotTakenForOne) {
  EXPECT_THAT(refusal("jsonl", "{\"text\": \"a\"}\n{\"text\": null}\n", {text}),
              HasSubstr("data.jsonl:2: \"text\" is null, and the column \"text\" needs a value in every row"));
  EXPECT_THAT(refusal("jsonl", R"({"said": [{"role": "user", "content": "a"}]})", {text}, {{"text", "said", {}}}),
              HasSubstr("\"said\" is a list of objects, expected text; if it is a conversation, say so with columns: "
                        "{text: {messages: said}}"));
  EXPECT_THAT(refusal("jsonl", R"({"text": [12, 55]})", {text}), HasSubstr("is a list of numbers, expected text"));
}

TEST_F(ColumnSourceTest, OptionalColumnsMayBeLeftOut) {
  const ColumnWish margin{"margin", RGM_REAL_COLUMN, RGM_OPTIONAL};
  const auto source = open("jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n", {text, margin});
  EXPECT_FALSE(has_column(source->in_order(0, 2), "margin"));
  EXPECT_THAT(refusal("jsonl", "{\"text\": \"a\", \"margin\": 1}\n{\"text\": \"b\"}\n", {text, margin}),
              HasSubstr("data.jsonl:2: there is no \"margin\""));
  testing::internal::CaptureStderr();
  const auto late = open("jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\", \"margin\": 1}\n", {text, margin});
  EXPECT_FALSE(has_column(late->in_order(0, 2), "margin"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("data.jsonl:2: \"margin\" is read of no row, because the first row has none"));
}

TEST_F(ColumnSourceTest, APositionIsTheSameWhoeverAsks) {
  std::string rows;
  for (int i = 0; i < 10; ++i) rows += "{\"label\": " + std::to_string(i) + "}\n";
  const auto source = open("jsonl", rows, {label}), resumed = open("jsonl", rows, {label});
  const auto all = source->batch(0, 30, 1).columns.at("label").integers;
  for (int64_t i = 0; i < 30; ++i) {
    EXPECT_EQ(resumed->batch(i, 1, 1).columns.at("label").integers[0], all[static_cast<size_t>(i)]);
    EXPECT_EQ(source->unit_at(i, 1), all[static_cast<size_t>(i)]);
  }
  EXPECT_EQ(std::set<int32_t>(all.begin(), all.begin() + 10).size(), 10U);
}

TEST_F(ColumnSourceTest, CutExamplesAreToldOf) {
  testing::internal::CaptureStderr();
  const auto source = open("jsonl", "{\"text\": \"a long text\"}\n{\"text\": \"b\"}\n", {text});
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("1 of 2 examples"));
  EXPECT_EQ(source->in_order(0, 1).columns.at("text").length, 8);
}

TEST_F(ColumnSourceTest, AFileOfTextHasNoOtherColumns) {
  EXPECT_THAT(refusal("text", "abc", {text, label}), HasSubstr("no column \"label\""));
}

}  // namespace
}  // namespace rgm
