// choice_rows_test.cpp - rows as questions: which choice an answer means, and what is said where none is meant.
#include "data/choice_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "artefact/folder.hpp"
#include "base/error.hpp"

namespace rgm {
namespace {

using testing::ElementsAre, testing::HasSubstr;

class ChoiceRows : public testing::Test {
 protected:
  ChoiceRows() { fs::create_directories(folder_); }
  ~ChoiceRows() override { fs::remove_all(folder_); }
  std::vector<ChoiceQuestion> read(const std::string& rows, std::vector<ColumnMap> columns = {}, int64_t most = 0,
                                   const char* format = "jsonl") {
    const fs::path file = folder_ / "rows";
    std::ofstream(file) << rows;
    DataSpec spec{.format = format, .files = {file}, .columns = std::move(columns)};
    spec.rows = most;
    std::vector<ChoiceQuestion> out;
    each_choice_question(
        spec, [](const ColumnMap&) { return ChatTemplate(named_chat_template("chatml"), "chatml", *byte_tokenizer()); },
        [&](ChoiceQuestion question, const Row&) { out.push_back(std::move(question)); });
    return out;
  }
  std::string refused(const std::string& rows, std::vector<ColumnMap> columns = {}) {
    try {
      read(rows, std::move(columns));
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  static ColumnMap several(std::vector<std::string> names) {
    ColumnMap out{"choices", "choices", std::nullopt};
    out.several = std::move(names);
    return out;
  }

 private:
  const fs::path folder_ = fs::path(testing::TempDir()) / "choice_rows";
};

TEST_F(ChoiceRows, AnAnswerIsANumberALetterALabelOrAText) {
  const std::vector<std::string> choices = {"red", "green", "blue"}, labels = {"1", "2", "3"};
  EXPECT_EQ(right_choice(2, choices, {}, "x"), 2);
  EXPECT_EQ(right_choice(2.0, choices, {}, "x"), 2);
  EXPECT_EQ(right_choice(true, choices, {}, "x"), 1);
  EXPECT_EQ(right_choice("2", choices, {}, "x"), 2);
  EXPECT_EQ(right_choice("2", choices, labels, "x"), 1);  // ARC counts from 1 here and there
  EXPECT_EQ(right_choice("B", choices, {}, "x"), 1);
  EXPECT_EQ(right_choice("c", choices, {}, "x"), 2);
  EXPECT_EQ(right_choice("blue", choices, {}, "x"), 2);
  for (const Row& none : {Row(3), Row(-1), Row(1.5), Row("D"), Row("pink"), Row("10000000000")})
    EXPECT_THROW(right_choice(none, choices, {}, "x"), Error) << none.dump();
}

TEST_F(ChoiceRows, ANumberThatIsAnotherChoicesTextIsRefused) {
  EXPECT_EQ(right_choice("0", {"0", "1"}, {}, "x"), 0);
  EXPECT_EQ(right_choice(0, {"1", "0"}, {}, "x"), 0);
  EXPECT_THROW(right_choice("0", {"1", "0"}, {}, "x"), Error);
}

TEST_F(ChoiceRows, WhatNobodyHasNamedIsFoundByItsUsualNames) {
  const auto arc = read(R"({"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"})");
  EXPECT_EQ(arc[0].prompt, "q");
  EXPECT_THAT(arc[0].choices, ElementsAre("a", "b"));
  EXPECT_EQ(arc[0].right, 1);
  EXPECT_EQ(arc[0].separator, " ");
  const auto mmlu = read(R"({"question": "q", "choices": ["a", "b"], "answer": 1})"
                         "\n"
                         R"({"question": "r", "choices": ["c", "d", "e"], "answer": 2})");
  EXPECT_THAT(mmlu[1].choices, ElementsAre("c", "d", "e"));
  EXPECT_EQ(mmlu[1].right, 2);
}

TEST_F(ChoiceRows, ATableHasThemInColumnsOfTheirOwn) {
  const auto rows =
      read("goal,sol1,sol2,label\nopen,push,\"pull, hard\",1\nshut,pull,push,0\n",
           {{"prompt", "To {{goal}}:", std::nullopt}, several({"sol1", "sol2"}), {"answer", "label", std::nullopt}}, 1,
           "csv");
  ASSERT_EQ(rows.size(), 1);
  EXPECT_EQ(rows[0].prompt, "To open:");
  EXPECT_THAT(rows[0].choices, ElementsAre("push", "pull, hard"));
  EXPECT_EQ(rows[0].right, 1);
}

TEST_F(ChoiceRows, AConversationEndsWhereTheAssistantBegins) {
  const auto rows = read(R"({"prompt": [{"role": "user", "content": "hi"}], "choices": ["a", "b"], "answer": 0})");
  EXPECT_EQ(rows[0].prompt, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(rows[0].separator, "");
}

TEST_F(ChoiceRows, WhatIsWrongIsSaidWithItsRow) {
  const std::string good = "{\"question\": \"q\", \"choices\": [\"a\", \"b\"], \"answer\": 1}\n";
  EXPECT_THAT(refused(good + R"({"question": "q", "choices": ["a", "b"], "answer": 2})"),
              HasSubstr("rows:2: the answer is 2, which is none of the 2 choices: expected a number from 0 to 1, a "
                        "letter from A to B, or a choice's text"));
  EXPECT_THAT(refused(good + R"({"question": "q", "choices": ["a"], "answer": 0})"),
              HasSubstr("rows:2: there are 1 choices, at least two were expected"));
  EXPECT_THAT(refused(good + R"({"question": "q", "choices": ["a", ""], "answer": 0})"),
              HasSubstr("rows:2: choice 2 is empty"));
  EXPECT_THAT(refused(good + R"({"question": "q", "choices": ["a", "b"], "answer": ""})"),
              HasSubstr("rows:2: \"answer\" is empty, so no choice is the right one"));
  EXPECT_THAT(refused(R"({"goal": "q", "choices": ["a", "b"], "answer": 0})"),
              HasSubstr("there is no \"prompt\" for \"prompt\"; there are goal, choices, answer: say which one with "
                        "columns: {prompt: NAME}, or for a command --column prompt=NAME"));
  EXPECT_THAT(refused(R"({"question": "q", "sol1": "a", "sol2": "b", "label": 0})", {several({"sol1", "sol3"})}),
              HasSubstr("there is no \"sol3\" among the columns that the choices are in; there are question, sol1, "
                        "sol2, label; did you mean \"sol1\"?"));
}

}  // namespace
}  // namespace rgm
