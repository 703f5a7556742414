// shares_test.cpp - which rows are read: those of one group together, the first ones, or a share of them.
#include <algorithm>
#include <set>

#include "data/column_source.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Prompts 0 to 3, each ranked by two people: half of the prompts is held out, not half of the rows.
TEST_F(ColumnSourceTest, TheSplitBreaksNoPrompt) {
  std::string rows;
  for (const char* rater : {"ann", "bob"})
    for (int i = 0; i < 4; ++i)
      rows += fmt::format(R"({{"prompt": "{}", "completion": ["x", "y"], "rater": "{}"}})", i, rater) + "\n";
  const auto held_out = open("jsonl", rows, {completion, group}, {}, 0.5, 1);
  EXPECT_EQ(held_out->units(), 4);
  const std::vector<int32_t> ids = held_out->in_order(0, 4).columns.at("completion").integers;
  for (const int32_t kept : {'0', '1'}) EXPECT_EQ(std::ranges::count(ids, kept), 0);
  for (const int32_t out : {'2', '3'}) EXPECT_EQ(std::ranges::count(ids, out), 4);
}

TEST_F(ColumnSourceTest, EqualValuesStayTogether) {
  const auto source = open("csv", "text,group\na,7\nb,9\nc,7\nd,8\ne,9\n", {text, group});
  EXPECT_EQ(source->units(), 3);
  EXPECT_THAT(source->in_order(0, 1).columns.at("group").integers, ElementsAre(7, 7));  // by first appearance
  EXPECT_THAT(source->in_order(1, 3).columns.at("group").integers, ElementsAre(9, 9, 8));
  std::set<int32_t> seen;
  for (int64_t i = 0; i < 3; ++i) {
    const auto groups = source->batch(i, 1, 5).columns.at("group").integers;
    EXPECT_TRUE(std::ranges::all_of(groups, [&](int32_t g) { return g == groups[0]; }));
    seen.insert(groups[0]);
  }
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_THAT(refusal("csv", "text\na\n", {text, group}), HasSubstr("there is no \"group\""));
}

// Four rankings of two answers, eight asked for: each comes twice, and no copy is taken for a part of the other.
TEST_F(ColumnSourceTest, ARankingThatComesAgainIsAnother) {
  const auto source = open("csv", "text,group\na,7\nb,7\nc,9\nd,9\ne,8\nf,8\ng,5\nh,5\n", {text, group});
  const Batch batch = source->batch(0, 8, 1);
  EXPECT_THAT(batch.columns.at("group").integers, ElementsAre(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7));
  EXPECT_EQ(total(batch, "group", true), 8);
  EXPECT_EQ(total(source->batch(2, 4, 1), "group", true), 4);  // over the border of an epoch
  // Where none comes again they are called as in the file.
  EXPECT_THAT(source->batch(0, 4, 1).columns.at("group").integers,
              testing::UnorderedElementsAre(7, 7, 9, 9, 8, 8, 5, 5));
}

TEST_F(ColumnSourceTest, ListsAreSeveralExamplesOfOneGroup) {
  const ColumnWish rank{"rank", RGM_INTEGER_COLUMN, 0};
  const auto source = open("jsonl",
                           "{\"prompt\": \"p\", \"responses\": [\"a\", \"b\"], \"ranks\": [2, 1]}\n"
                           "{\"prompt\": \"q\", \"responses\": [\"c\", \"d\", \"e\"], \"ranks\": [1, 2, 2]}\n",
                           {text, rank, group}, {{"text", "responses", "prompt"}, {"rank", "ranks", {}}});
  EXPECT_EQ(source->units(), 2);
  const Batch batch = source->in_order(0, 2);
  EXPECT_EQ(batch.examples, 5);
  EXPECT_THAT(batch.columns.at("rank").integers, ElementsAre(2, 1, 1, 2, 2));
  EXPECT_THAT(batch.columns.at("group").integers, ElementsAre(0, 0, 1, 1, 1));
  EXPECT_THAT(select(batch, std::vector<int64_t>{4}, 8).columns.at("text").integers, ElementsAre('q', 'e', 256));
  EXPECT_THAT(refusal("jsonl", "{\"text\": [\"a\", \"b\"], \"label\": [1]}\n", {text, label}),
              HasSubstr("data.jsonl:1: \"label\" is a list of 1, but another list here has 2"));
}

TEST_F(ColumnSourceTest, TheSplitCountsExamplesAndBreaksNoGroup) {
  std::string rows;
  for (int i = 0; i < 21; ++i) rows += "{\"label\": " + std::to_string(i) + "}\n";
  EXPECT_EQ(open("jsonl", rows, {label}, {}, 0, 0.9)->units(), 18);
  EXPECT_THAT(open("jsonl", rows, {label}, {}, 0.9, 1)->in_order(0, 3).columns.at("label").integers,
              ElementsAre(18, 19, 20));
  const auto held_out = open("csv", "group\n1\n2\n2\n1\n", {group}, {}, 0.5, 1);
  EXPECT_THAT(held_out->in_order(0, 1).columns.at("group").integers, ElementsAre(2, 2));
}

// Rows a, b, c and d, of which a and c are a group where groups are wanted.
TEST_F(ColumnSourceTest, AtMostTheFirstUnitsAreRead) {
  write_file(folder / "r.csv", "text,group\na,7\nb,9\nc,7\nd,8\n");
  DataSpec spec{.format = "csv", .files = {folder / "r.csv"}, .columns = {}, .rows = 2};
  const auto ids = [&](const std::vector<ColumnWish>& wishes) {
    const auto source = open_source(spec, wishes, byte_tokenizer(), options);
    return source->in_order(0, source->units()).columns.at("text").integers;
  };
  EXPECT_THAT(ids({text}), ElementsAre('a', 256, 'b', 256));
  EXPECT_THAT(ids({text, group}), ElementsAre('a', 256, 'c', 256, 'b', 256));
  const auto two = open_source(spec, {text, group}, byte_tokenizer(), options);
  EXPECT_EQ(two->examples_of(0), 2);
  EXPECT_EQ(two->examples_of(1), 1);
  spec.split_begin = 0.5;  // of these two
  EXPECT_THAT(ids({text}), ElementsAre('b', 256));
  spec.rows = 100;
  EXPECT_THAT(ids({text}), ElementsAre('c', 256, 'd', 256));
  EXPECT_NE(open_source(spec, {text, group}, byte_tokenizer(), options)->sha256(), two->sha256());
}

TEST_F(ColumnSourceTest, WhatIsBehindTheLastRowIsNotRead) {
  write_file(folder / "a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\nbroken\n");
  write_file(folder / "b.jsonl", "broken\n");
  const DataSpec spec{.format = "jsonl", .files = {folder / "a.jsonl", folder / "b.jsonl"}, .columns = {}, .rows = 2};
  EXPECT_EQ(open_source(spec, {text}, byte_tokenizer(), options)->units(), 2);
}

// 1 - 0.8 is less than 0.2 by 4e-17.
TEST_F(ColumnSourceTest, AShareThatMeansAWholeNumberIsOne) {
  const std::string rows = "{\"label\": 0}\n{\"label\": 1}\n{\"label\": 2}\n{\"label\": 3}\n{\"label\": 4}\n";
  EXPECT_EQ(open("jsonl", rows, {label}, {}, 0, 1 - 0.8)->units(), 1);
  EXPECT_EQ(open("jsonl", rows, {label}, {}, 1 - 0.8, 1)->units(), 4);
  EXPECT_EQ(open("jsonl", rows, {label}, {}, 0, 0.39)->units(), 1) << "otherwise it is rounded down";
}

}  // namespace
}  // namespace rgm
