// label_columns_test.cpp - labels of a model's head, as names or as numbers.
#include "data/column_source.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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

}  // namespace
}  // namespace rgm
