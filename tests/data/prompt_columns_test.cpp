// prompt_columns_test.cpp - examples with a prompt: it stands in front of its answer once, uncounted, and how each
// ends.
#include "data/column_source.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ColumnSourceTest, APromptDoesNotCount) {
  const auto source = open("jsonl", "{\"q\": \"1+1\", \"a\": \"2\"}\n", {text}, {{"text", "a", "q"}});
  const BatchColumn c = source->in_order(0, 1).columns.at("text");
  EXPECT_THAT(c.integers, ElementsAre('1', '+', '1', '2', 256));
  EXPECT_THAT(c.reals, ElementsAre(0, 0, 0, 1, 1));
  EXPECT_EQ(source->tokens(), 5);
  EXPECT_EQ(source->counted(), 2);
}

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

}  // namespace
}  // namespace rgm
