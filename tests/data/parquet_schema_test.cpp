// parquet_schema_test.cpp - lists as the generations of writers have written them.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "parquet/schema.hpp"

namespace rgm::parquet {
namespace {

SchemaElement group(const char* name, Repetition repetition, int64_t children, Meaning meaning = Meaning::plain) {
  return {.repetition = repetition, .name = name, .children = children, .meaning = meaning};
}
SchemaElement leaf(const char* name, Repetition repetition) {
  return {.type = Physical::int32, .repetition = repetition, .name = name};
}
// `list(defined, filled, repeated)[element]`
std::string shown(const Node& node) {
  std::string out;
  for (const Node& child : node.children) out += (out.empty() ? "" : " ") + shown(child);
  switch (node.kind) {
    case Node::Kind::leaf: return fmt::format("{}({})", node.name, node.defined);
    case Node::Kind::structure: return fmt::format("{}({}){{{}}}", node.name, node.defined, out);
    default: return fmt::format("{}({}, {}, {})[{}]", node.name, node.defined, node.filled, node.repeated, out);
  }
}
std::string tree(std::vector<SchemaElement> of_column) {
  of_column.insert(of_column.begin(), group("schema", Repetition::required, 1));
  return shown(tree_of(of_column).children[0]);
}

using enum Repetition;

TEST(ParquetSchema, AListHasItsElementTwoGroupsDown) {
  EXPECT_EQ(tree({group("l", optional, 1, Meaning::list), group("list", repeated, 1), leaf("element", optional)}),
            "l(1, 2, 1)[element(3)]");
  EXPECT_EQ(tree({group("l", required, 1, Meaning::list), group("bag", repeated, 1), leaf("x", required)}),
            "l(0, 1, 1)[x(1)]");
}

TEST(ParquetSchema, OldListsHaveTheirElementOneGroupDown) {
  EXPECT_EQ(tree({group("l", optional, 1, Meaning::list), leaf("element", repeated)}), "l(1, 2, 1)[element(2)]");
  EXPECT_EQ(tree({group("l", optional, 1, Meaning::list), group("element", repeated, 2), leaf("a", required),
                  leaf("b", optional)}),
            "l(1, 2, 1)[element(2){a(2) b(3)}]");
  for (const char* name : {"array", "l_tuple"})
    EXPECT_EQ(tree({group("l", optional, 1, Meaning::list), group(name, repeated, 1), leaf("a", required)}),
              fmt::format("l(1, 2, 1)[{}(2){{a(2)}}]", name));
}

TEST(ParquetSchema, WhatRepeatsByItselfIsAListThatIsNeverNull) {
  EXPECT_EQ(tree({leaf("l", repeated)}), "l(0, 1, 1)[l(1)]");
  EXPECT_EQ(tree({group("l", repeated, 1), leaf("a", repeated)}), "l(0, 1, 1)[l(1){a(1, 2, 2)[a(2)]}]");
}

TEST(ParquetSchema, MapsHaveKeysAndValues) {
  EXPECT_EQ(tree({group("m", optional, 1, Meaning::map), group("key_value", repeated, 2), leaf("key", required),
                  leaf("value", optional)}),
            "m(1, 2, 1)[key(2) value(3)]");
}

TEST(ParquetSchema, ATreeThatDoesNotCloseIsRefused) {
  EXPECT_THROW(tree({group("a", optional, 2), leaf("b", optional)}), Error);
  EXPECT_THROW(tree({leaf("a", optional), leaf("b", optional)}), Error);
  EXPECT_THROW(tree({group("a", optional, 2), leaf("b", optional), leaf("b", optional)}), Error);
  EXPECT_THROW(tree(std::vector(200, group("a", optional, 1))), Error);
}

}  // namespace
}  // namespace rgm::parquet
