// mixed_source_test.cpp - several sources as one: whose turn it is, and what a batch of texts beside rows looks like.
#include "data/mixed_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "data/wishes.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class MixedSourceTest : public testing::Test {
 protected:
  DataSpec part(const std::string& name, const std::string& content, double share = 0,
                std::vector<ColumnMap> columns = {}) const {
    write_file(folder / name, content);
    return {.format = name.ends_with(".txt") ? "text" : "jsonl",
            .files = {folder / name},
            .columns = std::move(columns),
            .share = share};
  }
  static DataSpec mixture(std::vector<DataSpec> parts) {
    return {.format = "", .files = {}, .columns = {}, .parts = std::move(parts)};
  }
  std::unique_ptr<Source> open(std::vector<DataSpec> parts, const std::vector<ColumnWish>& wishes = {text}) const {
    return open_source(mixture(std::move(parts)), wishes, tokenizer, options);
  }
  std::string refusal(std::vector<DataSpec> parts, const std::vector<ColumnWish>& wishes = {text}) const {
    try {
      open(std::move(parts), wishes);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "opened";
  }
  // Three examples with the labels 0, 1, 2, and two with 3 and 4: the numbers of their units.
  std::unique_ptr<Source> labels(double first = 0, double second = 0) const {
    return open({part("a.jsonl", "{\"label\": 0}\n{\"label\": 1}\n{\"label\": 2}\n", first),
                 part("b.jsonl", "{\"label\": 3}\n{\"label\": 4}\n", second)},
                {label});
  }
  static std::vector<int32_t> labels_of(const Batch& batch) { return batch.columns.at("label").integers; }
  // Of one example, without its end.
  static std::string text_of(const Batch& batch, int32_t example) {
    const BatchColumn& c = batch.columns.at("text");
    std::string out;
    for (size_t i = 0; i < c.integers.size(); ++i)
      if (c.segments[i] == example + 1 && c.integers[i] < 256) out += static_cast<char>(c.integers[i]);
    return out;
  }
  test::Folder folder;
  TokenizerPtr tokenizer = byte_tokenizer();
  SourceOptions options{.context = 4, .cache = folder / "cache"};
};

TEST_F(MixedSourceTest, WithoutSharesAnEpochHasEveryUnitOnce) {
  const auto source = labels();
  EXPECT_EQ(source->units(), 5);
  std::set<std::vector<int32_t>> orders;
  for (int64_t epoch = 0; epoch < 20; ++epoch) {
    std::vector<int32_t> seen = labels_of(source->batch(5 * epoch, 5, 7));
    orders.insert(seen);
    std::ranges::sort(seen);
    EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3, 4));
  }
  EXPECT_GT(orders.size(), 1U);
}

TEST_F(MixedSourceTest, OfTenInARowEachPartHasItsShare) {
  const auto drawn = labels_of(labels(0.8, 0.2)->batch(0, 60, 7));
  for (auto ten = drawn.begin(); ten != drawn.begin() + 50; ++ten)
    EXPECT_EQ(std::count_if(ten, ten + 10, [](int32_t n) { return n < 3; }), 8);
  const auto of_three =
      labels_of(open({part("a.jsonl", "{\"label\": 0}\n", 0.5), part("b.jsonl", "{\"label\": 1}\n", 0.3),
                      part("c.jsonl", "{\"label\": 2}\n", 0.2)},
                     {label})
                    ->batch(0, 60, 7));
  for (auto ten = of_three.begin(); ten != of_three.begin() + 50; ++ten) {
    EXPECT_EQ(std::count(ten, ten + 10, 0), 5);
    EXPECT_EQ(std::count(ten, ten + 10, 1), 3);
  }
}

// A share below 1e-9 counts as that much: one place of a billion and one.
TEST_F(MixedSourceTest, ATinyShareHasItsTurn) {
  const auto source = labels(1e-12, 1);
  EXPECT_LT(source->unit_at(0, 7), 3);
  EXPECT_GE(source->unit_at(1, 7), 3);
  EXPECT_GE(source->unit_at(1'000'000'000, 7), 3);
  EXPECT_LT(source->unit_at(1'000'000'001, 7), 3);
}

TEST_F(MixedSourceTest, APositionIsTheSameWhoeverAsks) {
  const auto source = labels(0.8, 0.2), resumed = labels(0.8, 0.2);
  const auto all = labels_of(source->batch(0, 30, 1));
  for (int64_t i = 0; i < 30; ++i) {
    EXPECT_EQ(labels_of(resumed->batch(i, 1, 1))[0], all[static_cast<size_t>(i)]);
    EXPECT_EQ(source->unit_at(i, 1), all[static_cast<size_t>(i)]);
  }
  EXPECT_NE(labels_of(source->batch(0, 30, 2)), all);
}

TEST_F(MixedSourceTest, TheFilesOwnOrderIsOnePartBehindTheOther) {
  EXPECT_THAT(labels_of(labels(0.8, 0.2)->in_order(0, 5)), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(labels_of(labels()->in_order(2, 4)), ElementsAre(2, 3));
  EXPECT_THAT(labels_of(labels()->in_order(4, 5)), ElementsAre(4));
  EXPECT_EQ(labels()->in_order(3, 3).examples, 0);
}

// Windows of four tokens and the next one beside a question with its answer, of which the answer and its end count.
TEST_F(MixedSourceTest, TextsStandBesideRows) {
  const auto source =
      open({part("t.txt", "abcdefghi"), part("r.jsonl", "{\"q\": \"x\", \"a\": \"y\"}\n", 0, {{"text", "a", "q"}})});
  EXPECT_EQ(source->units(), 3);
  EXPECT_FALSE(source->has_fixed_units());
  const Batch batch = source->in_order(1, 3);
  const BatchColumn& c = batch.columns.at("text");
  EXPECT_EQ(c.rows, 2);
  EXPECT_EQ(c.length, 5);
  EXPECT_THAT(c.integers, ElementsAre('e', 'f', 'g', 'h', 'i', 'x', 'y', 256, 0, 0));
  EXPECT_THAT(c.segments, ElementsAre(1, 1, 1, 1, 1, 2, 2, 2, 0, 0));
  EXPECT_THAT(c.reals, ElementsAre(0, 1, 1, 1, 1, 0, 1, 1, 0, 0));
  EXPECT_THAT(c.ends, ElementsAre(4, 7));
}

// A row of two examples of each part, numbered as they were drawn: first, second, first, second.
TEST_F(MixedSourceTest, ExamplesComeInTheOrderOfTheirPositions) {
  const auto source = open({part("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": \"c\"}\n", 0.5),
                            part("b.jsonl", "{\"text\": \"x\"}\n{\"text\": \"y\"}\n", 0.5)});
  const Batch batch = source->batch(0, 4, 7);
  const BatchColumn& c = batch.columns.at("text");
  EXPECT_EQ(c.rows, 2);
  EXPECT_THAT(c.segments, ElementsAre(1, 1, 3, 3, 2, 2, 4, 4));
  EXPECT_THAT(c.ends, ElementsAre(1, 5, 3, 7));
  for (int32_t e = 0; e < 4; ++e) {
    EXPECT_EQ(text_of(batch, e), text_of(source->batch(e, 1, 7), 0));
    EXPECT_EQ(text_of(batch, e) < "x", e % 2 == 0);
  }
}

TEST_F(MixedSourceTest, AGroupIsOneOfItsPart) {
  const std::string two = "{\"text\": \"a\", \"group\": 7}\n{\"text\": \"b\", \"group\": 7}\n";
  const ColumnWish group{"group", RGM_INTEGER_COLUMN, RGM_TOGETHER};
  const auto source = open({part("a.jsonl", two), part("b.jsonl", two)}, {text, group});
  EXPECT_EQ(source->units(), 2);
  EXPECT_EQ(source->examples_of(1), 2);
  EXPECT_THAT(source->in_order(0, 2).columns.at("group").integers, ElementsAre(0, 0, 1, 1));
  // The first part's only unit, the second's, and the first's again.
  EXPECT_THAT(source->batch(0, 3, 7).columns.at("group").integers, ElementsAre(0, 0, 1, 1, 2, 2));
}

// Two models' answers to two prompts are ranked together. An integer is another group in another file.
TEST_F(MixedSourceTest, AnswersToOnePromptAreOneGroupOfBothParts) {
  const ColumnWish prompt{"prompt", RGM_TEXT_COLUMN, RGM_TOGETHER}, answer{"answer", RGM_TEXT_COLUMN, 0};
  const auto rows = [&](const std::string& name, const std::string& said) {
    return part(name, R"({"prompt": "p", "answer": ")" + said + R"( to p"})" + "\n" + R"({"prompt": "q", "answer": ")" +
                          said + R"( to q"})" + "\n");
  };
  const auto source = open({rows("a.jsonl", "a"), rows("b.jsonl", "b")}, {prompt, answer});
  EXPECT_EQ(source->units(), 2);
  EXPECT_EQ(source->examples_of(1), 2);
  EXPECT_THAT(source->in_order(0, 1).columns.at("answer").texts, ElementsAre("a to p", "b to p"));
  EXPECT_THAT(source->in_order(0, 2).columns.at("answer").texts, ElementsAre("a to p", "b to p", "a to q", "b to q"));
  EXPECT_EQ(source->in_order(1, 1).examples, 0);
  for (int64_t position = 0; position < 4; ++position) {
    const int64_t group = source->unit_at(position, 7);
    EXPECT_EQ(source->batch(position, 1, 7).columns.at("answer").texts,
              source->in_order(group, group + 1).columns.at("answer").texts);
  }
}

// 6 and 8 tokens, each example with its end. Of five draws in shares, four are of the first part's two tokens.
TEST_F(MixedSourceTest, TokensOfAnEpochAreThoseThatAreDrawn) {
  const auto of = [&](double first, double second) {
    return open({part("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": \"c\"}\n", first),
                 part("b.jsonl", "{\"text\": \"xyz\"}\n{\"text\": \"uvw\"}\n", second)});
  };
  EXPECT_EQ(of(0, 0)->tokens(), 14);
  EXPECT_EQ(of(0.8, 0.2)->tokens(), 12);
  EXPECT_EQ(of(0.8, 0.2)->counted(), 12);
  EXPECT_NE(of(0.8, 0.2)->sha256(), of(0, 0)->sha256());
  EXPECT_NE(of(0.8, 0.2)->sha256(), of(0.2, 0.8)->sha256());
}

TEST_F(MixedSourceTest, AListOfOneIsThatOne) {
  const DataSpec one = part("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n", 1);
  const auto alone = open_source(one, {text}, byte_tokenizer(), options);
  EXPECT_EQ(open({one})->sha256(), alone->sha256());
  EXPECT_EQ(open({one})->unit_at(1, 7), alone->unit_at(1, 7));
}

TEST_F(MixedSourceTest, AllPartsHaveTheSameColumns) {
  const ColumnWish optional{"label", RGM_INTEGER_COLUMN, RGM_OPTIONAL};
  const DataSpec with = part("with.jsonl", "{\"text\": \"a\", \"label\": 1}\n"),
                 without = part("without.txt", "abcdef");
  for (const auto& parts : {std::vector{with, without}, std::vector{without, with}}) {
    const std::string said = refusal(parts, {text, optional});
    EXPECT_THAT(said, testing::StartsWith((folder / "without.txt").string() + " has no column \"label\", and "));
    EXPECT_THAT(said, HasSubstr("with.jsonl has one: all parts of a mixture need the same columns"));
  }
}

TEST_F(MixedSourceTest, OneChatTemplateIsKept) {
  options.context = 200;
  const std::string row = R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]})"
                          "\n";
  const auto chat = [&](const std::string& name, const std::string& called) {
    return part(name, row, 0, {{"text", "messages", {}, ChatMap{.template_name = called}}});
  };
  const DataSpec plain = part("plain.jsonl", "{\"text\": \"a\"}\n");
  EXPECT_EQ(open({plain, chat("a.jsonl", "chatml"), chat("b.jsonl", "chatml")})->chat_template(),
            named_chat_template("chatml"));
  const std::string said = refusal({plain, chat("a.jsonl", "chatml"), chat("b.jsonl", "alpaca")});
  EXPECT_THAT(said, testing::StartsWith((folder / "a.jsonl").string() + " and "));
  EXPECT_THAT(said, HasSubstr("b.jsonl are read with different chat templates"));
  // Also where one of them is the tokenizer's own.
  tokenizer = with_chat_template(byte_tokenizer(), named_chat_template("chatml"));
  EXPECT_EQ(open({chat("a.jsonl", ""), chat("b.jsonl", "chatml")})->chat_template(), named_chat_template("chatml"));
  EXPECT_THAT(refusal({chat("a.jsonl", ""), chat("b.jsonl", "alpaca")}), HasSubstr("different chat templates"));
}

TEST_F(MixedSourceTest, ATokenizerLearnsFromAllParts) {
  std::string all;
  each_text(mixture({part("t.txt", "ab"), part("r.jsonl", "{\"text\": \"c\"}\n")}), nullptr,
            [&](std::string_view piece) { all += piece; }, {text});
  EXPECT_EQ(all, "abc\n");
}

}  // namespace
}  // namespace rgm
