// fitted_source_test.cpp - rows packed anew, and examples that keep their last tokens.
#include "data/fitted_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artefact/folder.hpp"
#include "base/error.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class FittedSourceTest : public testing::Test {
 protected:
  std::unique_ptr<Source> open(const std::string& content, bool end_of_text, const ColumnMap& map) const {
    const fs::path path = folder / "data.jsonl";
    write_file(path, content);
    const DataSpec spec{.format = "jsonl", .files = {path}, .columns = {map}};
    return open_source(spec, {{"text", RGM_TOKENS_COLUMN, 0}}, byte_tokenizer(),
                       {.context = 100, .cache = folder / "cache", .end_of_text = end_of_text});
  }
  test::Folder folder;
};

constexpr const char* two = "{\"a\": \"abcdef\"}\n{\"a\": \"gh\"}\n";

TEST_F(FittedSourceTest, ExamplesKeepTheirLastTokens) {
  const auto source = fitted(open(two, false, {"text", "a", {}}), 4, 5);
  const BatchColumn c = source->in_order(0, 2).columns.at("text");
  EXPECT_EQ(c.rows, 2) << "4 and 2 tokens do not share a row of 5";
  EXPECT_THAT(c.integers, ElementsAre('c', 'd', 'e', 'f', 'g', 'h', 0, 0));
  EXPECT_THAT(c.segments, ElementsAre(1, 1, 1, 1, 2, 2, 0, 0));
  EXPECT_THAT(c.reals, ElementsAre(0, 1, 1, 1, 0, 1, 0, 0)) << "nothing is left that would predict the c";
  EXPECT_EQ(source->units(), 2);
}

TEST_F(FittedSourceTest, ShorterRowsHoldTheSameExamples) {
  const auto wide = open(two, false, {"text", "a", {}});
  EXPECT_EQ(wide->in_order(0, 2).columns.at("text").rows, 1);
  const auto narrow = fitted(open(two, false, {"text", "a", {}}), 6, 6);
  const BatchColumn c = narrow->in_order(0, 2).columns.at("text");
  EXPECT_EQ(c.rows, 2);
  EXPECT_THAT(c.ends, ElementsAre(5, 7));
  EXPECT_EQ(narrow->sha256(), wide->sha256());
  EXPECT_EQ(narrow->unit_at(5, 3), wide->unit_at(5, 3));
}

TEST_F(FittedSourceTest, WhatBelongsToAPromptStaysUncounted) {
  const auto source = fitted(open("{\"q\": \"abc\", \"a\": \"d\"}\n", true, {"text", "a", "q"}), 3, 3);
  const BatchColumn c = source->in_order(0, 1).columns.at("text");
  EXPECT_THAT(c.integers, ElementsAre('c', 'd', 256));
  EXPECT_THAT(c.reals, ElementsAre(0, 1, 1));
}

TEST_F(FittedSourceTest, LongExamplesAreCounted) {
  const auto source = open(two, false, {"text", "a", {}});
  const auto found = longer_than(*source, 4);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].column, "text");
  EXPECT_EQ(found[0].longer, 1);
  EXPECT_EQ(found[0].all, 2);
  EXPECT_THAT(longer_than(*source, 6), IsEmpty());
}

}  // namespace
}  // namespace rgm
