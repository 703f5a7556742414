// text_test.cpp - UTF-8, near names, patterns, numbers for people.
#include "base/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rgm {
namespace {

TEST(Utf8, TheFirstBrokenByteIsNamed) {
  EXPECT_EQ(invalid_utf8("grün 海 🚢"), std::nullopt);
  EXPECT_EQ(invalid_utf8(""), std::nullopt);
  EXPECT_EQ(invalid_utf8("ab\xFF"), 2U);
  EXPECT_EQ(invalid_utf8("ab\xC3"), 2U);            // cut in a character
  EXPECT_EQ(invalid_utf8("\xC0\xAF"), 0U);          // overlong
  EXPECT_EQ(invalid_utf8("a\xED\xA0\x80"), 1U);     // a surrogate
  EXPECT_EQ(invalid_utf8("\xF4\x90\x80\x80"), 0U);  // beyond U+10FFFF
}

TEST(Utf8, CodePointsComeOutAndGoBackIn) {
  const std::string text = "aé海🚢";
  const auto points = code_points(text);
  EXPECT_THAT(points, testing::ElementsAre(U'a', U'é', U'海', U'🚢'));
  std::string back;
  for (const char32_t c : points) append_utf8(back, c);
  EXPECT_EQ(back, text);
  EXPECT_THAT(code_points("a\xFFz"), testing::ElementsAre(U'a', U'\uFFFD', U'z'));
}

TEST(NearName, FindsAMistypedName) {
  const std::vector<std::string> known = {"lora", "prefix", "prompt", "ia3"};
  EXPECT_EQ(near_name("lroa", known), "lora");  // two letters swapped are one mistake
  EXPECT_EQ(near_name("prefx", known), "prefix");
  EXPECT_EQ(near_name("LoRA", known), "lora");
  EXPECT_EQ(near_name("adamw", known), std::nullopt);
  EXPECT_EQ(near_name("", known), std::nullopt);
  EXPECT_EQ(did_you_mean("lroa", known), "; did you mean \"lora\"?");
  EXPECT_EQ(did_you_mean("adamw", known), "");
}

TEST(Matches, StarsAndQuestionMarks) {
  EXPECT_TRUE(matches("*.attention.query", "layers.0.attention.query"));
  EXPECT_FALSE(matches("*.attention.query", "layers.0.attention.query.weight"));
  EXPECT_TRUE(matches("layers.?.mlp*", "layers.3.mlp.up"));
  EXPECT_FALSE(matches("layers.?.mlp*", "layers.13.mlp.up"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("a*b*c", "axxbxbxc"));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_TRUE(matches("a*", "a*"));  // a star in the text is a character
}

TEST(ForPeople, NumbersReadWell) {
  EXPECT_EQ(bytes_for_people(999), "999 B");
  EXPECT_EQ(bytes_for_people(1'500'000), "1.50 MB");
  EXPECT_EQ(bytes_for_people(999'999), "1.00 MB");  // not "1000 kB"
  EXPECT_EQ(count_for_people(0), "0");
  EXPECT_EQ(count_for_people(999), "999");
  EXPECT_EQ(count_for_people(1'234'567), "1,234,567");
  EXPECT_EQ(time_for_people(1.25), "1.2 s");
  EXPECT_EQ(time_for_people(9.99), "10 s");  // not "10.0 s"
  EXPECT_EQ(time_for_people(42), "42 s");
  EXPECT_EQ(time_for_people(190), "3 min 10 s");
  EXPECT_EQ(time_for_people(7500), "2 h 5 min");
}

TEST(ForPeople, ControlCharactersAreNamedByTheirNumbers) {
  EXPECT_EQ(printable(std::string_view("a\0b\x1b[K\x7f", 7)), "aU+0000bU+001B[KU+007F");
  EXPECT_EQ(printable("two\nlines\tand \u00e9"), "two\nlines\tand \u00e9");
  EXPECT_EQ(printable("\u009b31m\u00a0\u007f"), "U+009B31m\u00a0U+007F") << "the control sequences of terminals";
  EXPECT_EQ(character_for_people(U'x'), "\"x\" (U+0078)");
  EXPECT_EQ(character_for_people(U'\u00e9'), "\"\u00e9\" (U+00E9)");
  EXPECT_EQ(character_for_people(U'\0'), "U+0000");
  EXPECT_EQ(character_for_people(U'\n'), "U+000A");
}

TEST(ForPeople, ColumnsOfATableStandBelowEachOther) {
  EXPECT_EQ(table_for_people({{"a", "b", "c"}, {"7 ± 1", "", "x"}, {"5", "", ""}}, "  "),
            "  a      b  c\n"
            "  7 ± 1     x\n"
            "  5\n");
}

}  // namespace
}  // namespace rgm
