// jinja_test.cpp - texts and filters of templates, as jinja2 with transformers' settings renders them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "jinja/template.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

const Json values = {{"m", {{"b", 1}, {"a", nullptr}}},
                     {"rows", {{{"k", "b"}, {"n", 2}}, {{"k", "A"}, {"n", 1}}, {{"n", 3}}}},
                     {"said", "don't user_name\r\nÉ ß"}};

std::string shown(const std::string& text) { return jinja::Template(text, "t").render(values); }

std::string refusal(const std::string& text) {
  try {
    return "rendered " + shown(text);
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
}

TEST(JinjaTexts, EveryBreakIsANewline) {
  EXPECT_EQ(shown("{% if true %}\r\nA\r\n{% endif %}\r\nB\r"), "A\nB");
  EXPECT_EQ(shown("{{ 'a\r\nb' | length }}"), "3");
  EXPECT_EQ(refusal("a\r\nb\rc {{ x.y }}"), "t:3: \"y\" of \"x\", which is not defined");
}

TEST(JinjaTexts, BackslashesArePythons) {
  EXPECT_EQ(shown("{{ 'a\\\nb' }}"), "ab");  // the line goes on
  EXPECT_EQ(shown("{{ '\\U0001F600\\u2581\\x41\\101\\0601' }}"), "\U0001F600\u2581AA01");
  EXPECT_EQ(shown("{{ '\\a\\b\\f\\n\\r\\t\\v\\\\' }}"), "\a\b\f\n\r\t\v\\");
  EXPECT_EQ(shown("{{ '\\d\\q' }}"), "\\d\\q");
  EXPECT_THAT(refusal("{{ '\\x4' }}"), HasSubstr("t:1: \\x in a text, 2 hexadecimal digits were expected"));
  EXPECT_THAT(refusal("{{ '\\ud83d' }}"), HasSubstr("half of a surrogate pair"));
  EXPECT_THAT(refusal("{{ '\\U00110000' }}"), HasSubstr("the character 0x110000 in a text"));
  EXPECT_THAT(refusal("{{ '\\N{DASH}' }}"), HasSubstr("a character by its name is not known"));
}

}  // namespace
}  // namespace rgm
