// column_source_test.cpp - examples from rows: columns found, prompts uncounted, groups kept together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "data/source.hpp"
#include "data/wishes.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ColumnSourceTest : public testing::Test {
 protected:
  std::unique_ptr<Source> open(const std::string& format, const std::string& content,
                               const std::vector<ColumnWish>& wishes, const std::vector<ColumnMap>& columns = {},
                               double begin = 0, double end = 1) {
    const fs::path path = folder / ("data." + format);
    write_file(path, content);
    DataSpec spec{.format = format, .files = {path}, .columns = columns, .split_begin = begin, .split_end = end};
    return open_source(spec, wishes, byte_tokenizer(), options);
  }
  std::string refusal(const std::string& format, const std::string& content, const std::vector<ColumnWish>& wishes,
                      const std::vector<ColumnMap>& columns = {}) {
    try {
      open(format, content, wishes, columns);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "opened";
  }
  test::Folder folder;
  SourceOptions options{.context = 8, .cache = folder / "cache"};
};

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

TEST_F(ColumnSourceTest, APromptDoesNotCount) {
  const auto source = open("jsonl", "{\"q\": \"1+1\", \"a\": \"2\"}\n", {text}, {{"text", "a", "q"}});
  const BatchColumn c = source->in_order(0, 1).columns.at("text");
  EXPECT_THAT(c.integers, ElementsAre('1', '+', '1', '2', 256));
  EXPECT_THAT(c.reals, ElementsAre(0, 0, 0, 1, 1));
  EXPECT_EQ(source->tokens(), 5);
  EXPECT_EQ(source->counted(), 2);
}

const ColumnWish chosen{"chosen", RGM_TOKENS_COLUMN, 0}, rejected{"rejected", RGM_TOKENS_COLUMN, 0};

TEST_F(ColumnSourceTest, APromptBesideAnswersStandsInFrontOfThem) {
  const std::string row = R"({"prompt": "q", "chosen": "a", "rejected": "bc"})"
                          "\n";
  testing::internal::CaptureStderr();
  const auto source = open("jsonl", row, {chosen, rejected});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("read as \"rejected\", of which the loss counts, behind \"prompt\""));
  const BatchColumn c = source->in_order(0, 1).columns.at("rejected");
  EXPECT_THAT(c.integers, ElementsAre('q', 'b', 'c', 256));
  EXPECT_THAT(c.reals, ElementsAre(0, 1, 1, 1));
  // Who asks for the prompts, too, gets both as they are.
  const ColumnWish prompt{"prompt", RGM_TOKENS_COLUMN, 0};
  EXPECT_THAT(open("jsonl", row, {prompt, chosen})->in_order(0, 1).columns.at("chosen").integers,
              ElementsAre('a', 256));
  // What the pipeline says of a column is all there is.
  EXPECT_THAT(open("jsonl", row, {chosen}, {{"chosen", "chosen", {}}})->in_order(0, 1).columns.at("chosen").integers,
              ElementsAre('a', 256));
}

const ColumnWish completion{"completion", RGM_TOKENS_COLUMN, 0};

// As sample and rank write them: `completion` has its prompt in front and its end by name; the second answer was cut.
TEST_F(ColumnSourceTest, WhatStagesWriteIsAPromptWithItsAnswer) {
  const std::string rows = R"({"prompt": "pq", "text": "a", "completion": "pqa<|endoftext|>", "finished": 1})"
                           "\n"
                           R"({"prompt": "pq", "text": "b", "completion": "pqb", "finished": 0})"
                           "\n";
  for (const ColumnWish& wish : {completion, text}) {
    testing::internal::CaptureStderr();
    const auto source = open("jsonl", rows, {wish});
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_THAT(said, HasSubstr("read as \"" + wish.name + "\", of which the loss counts, behind \"prompt\""));
    EXPECT_EQ(said.find("\"completion\" always begins with its \"prompt\", which is read only once") != said.npos,
              wish.name == "completion");
    const BatchColumn c = source->in_order(0, 2).columns.at(wish.name);
    EXPECT_THAT(c.integers, ElementsAre('p', 'q', 'a', 256, 'p', 'q', 'b')) << wish.name;
    EXPECT_THAT(c.reals, ElementsAre(0, 0, 1, 1, 0, 0, 1)) << wish.name;
    EXPECT_EQ(source->counted(), 3);
  }
}

// One that only happens to begin so is told of; what the pipeline says of a column is read as it stands.
TEST_F(ColumnSourceTest, AnswersOfWhichSomeBeginWithTheirPrompt) {
  const std::string rows = R"({"prompt": "1", "completion": "12"})"
                           "\n"
                           R"({"prompt": "1", "completion": "3"})"
                           "\n";
  testing::internal::CaptureStderr();
  EXPECT_THAT(open("jsonl", rows, {completion})->in_order(0, 2).columns.at("completion").integers,
              ElementsAre('1', '2', 256, '1', '3', 256));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("1 of 2 texts in \"completion\" begin with their \"prompt\", which is read only once there; if "
                        "it is part of the answer, write columns: {completion: {prompt: prompt, answer: completion}}"));
  EXPECT_THAT(open("jsonl", rows, {completion}, {{"completion", "completion", "prompt"}})
                  ->in_order(0, 2)
                  .columns.at("completion")
                  .integers,
              ElementsAre('1', '1', '2', 256, '1', '3', 256));
}

TEST_F(ColumnSourceTest, AnEndThatIsThereByNameIsNotDoubled) {
  const auto ids = [&](const std::string& row) {
    const ColumnWish& wish = row.find("completion") == row.npos ? text : completion;
    return open("jsonl", row + "\n", {wish})->in_order(0, 1).columns.at(wish.name).integers;
  };
  EXPECT_THAT(ids(R"({"text": "a<|endoftext|>"})"), ElementsAre('a', 256));
  EXPECT_THAT(ids(R"({"prompt": "q", "completion": "a<|endoftext|>", "finished": 0})"), ElementsAre('q', 'a'));
  // The end of the prompt is not that of an answer of no words.
  EXPECT_THAT(ids(R"({"prompt": "q<|endoftext|>", "completion": ""})"), ElementsAre('q', 256, 256));
}

TEST_F(ColumnSourceTest, AnAnswerThatWasCutHasNoEnd) {
  const std::string rows = R"({"prompt": "q", "answer": "a", "finished": 0})"
                           "\n"
                           R"({"prompt": "q", "answer": "b", "finished": 1})"
                           "\n";
  EXPECT_THAT(open("jsonl", rows, {text}, {{"text", "answer", "prompt"}})->in_order(0, 2).columns.at("text").integers,
              ElementsAre('q', 'a', 'q', 'b', 256));
  const std::string pair = R"({"prompt": "q", "chosen": "a", "rejected": "b", "rejected.finished": 0})"
                           "\n";
  const Batch batch = open("jsonl", pair, {chosen, rejected})->in_order(0, 1);
  EXPECT_THAT(batch.columns.at("chosen").integers, ElementsAre('q', 'a', 256));
  EXPECT_THAT(batch.columns.at("rejected").integers, ElementsAre('q', 'b'));
}

TEST_F(ColumnSourceTest, ATableSaysItTheSame) {
  EXPECT_THAT(open("csv", "prompt,answer,finished\nq,a,0\nq,b,1\n", {text}, {{"text", "answer", "prompt"}})
                  ->in_order(0, 2)
                  .columns.at("text")
                  .integers,
              ElementsAre('q', 'a', 'q', 'b', 256));
}

TEST_F(ColumnSourceTest, AFirstPromptThatIsEmptyIsOneAllTheSame) {
  const std::string rows = R"({"prompt": "", "chosen": "a"})"
                           "\n"
                           R"({"prompt": "q", "chosen": "b"})"
                           "\n";
  EXPECT_THAT(open("jsonl", rows, {chosen})->in_order(0, 2).columns.at("chosen").integers,
              ElementsAre('a', 256, 'q', 'b', 256));
}

// What the pipeline has not named may be missing in a row.
TEST_F(ColumnSourceTest, ARowWithoutThePromptIsItsAnswer) {
  const std::string rows = R"({"prompt": "q", "chosen": "a"})"
                           "\n"
                           R"({"prompt": null, "chosen": "b"})"
                           "\n";
  EXPECT_THAT(open("jsonl", rows, {chosen})->in_order(0, 2).columns.at("chosen").integers,
              ElementsAre('q', 'a', 256, 'b', 256));
  EXPECT_THAT(refusal("jsonl", rows, {chosen}, {{"chosen", "chosen", "prompt"}}), HasSubstr("\"prompt\" is null"));
  // Also where it is the first.
  EXPECT_THAT(open("jsonl",
                   R"({"prompt": null, "chosen": "b"})"
                   "\n"
                   R"({"prompt": "q", "chosen": "a"})"
                   "\n",
                   {chosen})
                  ->in_order(0, 2)
                  .columns.at("chosen")
                  .integers,
              ElementsAre('b', 256, 'q', 'a', 256));
}

// Prompts 0 to 3, each ranked by two people: half of the prompts is held out, not half of the rows.
TEST_F(ColumnSourceTest, TheSplitBreaksNoPrompt) {
  const ColumnWish group{"group", RGM_INTEGER_COLUMN, RGM_TOGETHER};
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

const ColumnWish sort{"label", RGM_LABEL_COLUMN, RGM_OPTIONAL};

TEST_F(ColumnSourceTest, WhereLabelsAreNumbersAPlaceIsNone) {
  options.labels = {"1", "2", "3"}, options.outputs = 3;
  const auto row = [](const std::string& value) { return "{\"text\": \"a\", \"label\": " + value + "}\n"; };
  EXPECT_THAT(
      open("jsonl", row("1") + row("\"3\"") + row("2.0"), {text, sort})->in_order(0, 3).columns.at("label").integers,
      ElementsAre(0, 2, 1));
  EXPECT_THAT(refusal("jsonl", row("0"), {text, sort}), HasSubstr("not a label of the model's head: 1, 2, 3"));
  options.labels = {"-", "+"}, options.outputs = 2;
  EXPECT_THAT(open("jsonl", row("1") + row("\"-\""), {text, sort})->in_order(0, 2).columns.at("label").integers,
              ElementsAre(1, 0));
}

TEST_F(ColumnSourceTest, LabelsAreNamesOrNumbers) {
  options.labels = {"no", "yes"}, options.outputs = 2;
  const auto source =
      open("jsonl", "{\"text\": \"a\", \"label\": \"yes\"}\n{\"text\": \"b\", \"label\": 0}\n", {text, sort});
  EXPECT_THAT(source->in_order(0, 2).columns.at("label").integers, ElementsAre(1, 0));
  EXPECT_THAT(refusal("jsonl", "{\"text\": \"a\", \"label\": \"yse\"}\n", {text, sort}),
              HasSubstr("data.jsonl:1: \"label\" is \"yse\", which is not a label of the model's head: no, yes, or "
                        "their numbers from 0; did you mean \"yes\"?"));
  EXPECT_THAT(refusal("jsonl", "{\"text\": \"a\", \"label\": 2}\n", {text, sort}),
              HasSubstr("\"label\" is 2, which is not a label"));
}

TEST_F(ColumnSourceTest, LabelsAreReadForAHeadOnly) {
  const std::string row = "{\"text\": \"a\", \"label\": \"yes\"}\n";
  EXPECT_FALSE(open("jsonl", row, {text, sort})->in_order(0, 1).columns.contains("label"));
  EXPECT_THAT(refusal("jsonl", row, {text, sort}, {{"label", "label", {}}}),
              HasSubstr("column \"label\" holds labels, but the model has no head for them: add model: {head:"));
}

TEST_F(ColumnSourceTest, PromptsThatFillTheContextLeaveNothingToLearn) {
  const std::string whole = "{\"q\": \"12345678\", \"a\": \"9\"}\n", half = "{\"q\": \"1234567\", \"a\": \"8\"}\n";
  EXPECT_THAT(refusal("jsonl", whole + whole, {text}, {{"text", "a", "q"}}),
              HasSubstr("none of the 2 examples of \"text\" has a token to learn"));
  testing::internal::CaptureStderr();
  EXPECT_EQ(open("jsonl", whole + half, {text}, {{"text", "a", "q"}})->units(), 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("1 of 2 examples of \"text\" have no token to learn"));
}

TEST_F(ColumnSourceTest, PromptsToContinueDoNotEnd) {
  options.end_of_text = false;
  EXPECT_THAT(open("jsonl", "{\"text\": \"ab\"}\n", {text})->in_order(0, 1).columns.at("text").integers,
              ElementsAre('a', 'b'));
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

TEST_F(ColumnSourceTest, EqualValuesStayTogether) {
  const ColumnWish group{"group", RGM_INTEGER_COLUMN, RGM_TOGETHER};
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
  const ColumnWish group{"group", RGM_INTEGER_COLUMN, RGM_TOGETHER};
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
  const ColumnWish rank{"rank", RGM_INTEGER_COLUMN, 0}, group{"group", RGM_INTEGER_COLUMN, RGM_TOGETHER};
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
  const ColumnWish group{"group", RGM_INTEGER_COLUMN, RGM_TOGETHER};
  const auto held_out = open("csv", "group\n1\n2\n2\n1\n", {group}, {}, 0.5, 1);
  EXPECT_THAT(held_out->in_order(0, 1).columns.at("group").integers, ElementsAre(2, 2));
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

// Rows a, b, c and d, of which a and c are a group where groups are wanted.
TEST_F(ColumnSourceTest, AtMostTheFirstUnitsAreRead) {
  write_file(folder / "r.csv", "text,group\na,7\nb,9\nc,7\nd,8\n");
  DataSpec spec{.format = "csv", .files = {folder / "r.csv"}, .columns = {}, .rows = 2};
  const auto ids = [&](const std::vector<ColumnWish>& wishes) {
    const auto source = open_source(spec, wishes, byte_tokenizer(), options);
    return source->in_order(0, source->units()).columns.at("text").integers;
  };
  const ColumnWish group{"group", RGM_INTEGER_COLUMN, RGM_TOGETHER};
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

TEST_F(ColumnSourceTest, AFileOfTextHasNoOtherColumns) {
  EXPECT_THAT(refusal("text", "abc", {text, label}), HasSubstr("no column \"label\""));
}

}  // namespace
}  // namespace rgm
