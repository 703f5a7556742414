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

std::string problem(const std::string& text) {
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
  EXPECT_EQ(problem("a\r\nb\rc {{ x.y }}"), "t:3: \"y\" of \"x\", which is not defined");
}

TEST(JinjaTexts, BackslashesArePythons) {
  EXPECT_EQ(shown("{{ 'a\\\nb' }}"), "ab");  // the line goes on
  EXPECT_EQ(shown("{{ '\\U0001F600\\u2581\\x41\\101\\0601' }}"), "\U0001F600\u2581AA01");
  EXPECT_EQ(shown("{{ '\\a\\b\\f\\n\\r\\t\\v\\\\' }}"), "\a\b\f\n\r\t\v\\");
  EXPECT_EQ(shown("{{ '\\d\\q' }}"), "\\d\\q");
  EXPECT_THAT(problem("{{ '\\x4' }}"), HasSubstr("t:1: \\x in a string, 2 hexadecimal digits were expected"));
  EXPECT_THAT(problem("{{ '\\ud83d' }}"), HasSubstr("half of a surrogate pair"));
  EXPECT_THAT(problem("{{ '\\U00110000' }}"), HasSubstr("the character 0x110000 in a string"));
  EXPECT_THAT(problem("{{ '\\N{DASH}' }}"), HasSubstr("characters cannot be given by name"));
}

TEST(JinjaFilters, JsonIsThatOfTransformers) {
  EXPECT_EQ(shown("{{ m | tojson }}"), R"({"b": 1, "a": null})");
  EXPECT_EQ(shown("{{ m | tojson(false, 2) }}"), "{\n  \"b\": 1,\n  \"a\": null\n}");
  EXPECT_EQ(shown("{{ m | tojson(separators=(',', ':'), sort_keys=true) }}"), R"({"a":null,"b":1})");
  EXPECT_EQ(shown("{{ [1] | tojson(indent='-') }}"), "[\n-1\n]");
  EXPECT_EQ(shown("{{ 'É\\U0001F600' | tojson }}"), "\"É\U0001F600\"");
  EXPECT_EQ(shown("{{ 'É\\U0001F600' | tojson(ensure_ascii=true) }}"), R"("\u00c9\ud83d\ude00")");
}

TEST(JinjaFilters, LettersAreUnicodes) {
  EXPECT_EQ(shown("{{ said | title }}"), "Don't User_name\r\nÉ SS");
  EXPECT_EQ(shown("{{ said.title() }}"), "Don'T User_Name\r\nÉ Ss");
  EXPECT_EQ(shown("{{ said | upper }}"), "DON'T USER_NAME\r\nÉ SS");
  EXPECT_EQ(shown("{{ said.lower() }}"), "don't user_name\r\né ß");
  EXPECT_EQ(shown("{{ 'éA' | capitalize }}"), "Éa");
}

TEST(JinjaFilters, LinesAndWords) {
  EXPECT_EQ(shown("{{ 'a\\r\\nb\\u2028\\nc\\n'.splitlines() }}"), "['a', 'b', '', 'c']");
  EXPECT_EQ(shown("{{ 'a\\r\\nb'.splitlines(true) }}"), "['a\\r\\n', 'b']");
  EXPECT_EQ(shown("{{ 'a\\r\\n\\nb\\n' | indent(2) }}"), "a\n\n  b\n");
  EXPECT_EQ(shown("{{ ' a\\u3000b  c '.split() }}"), "['a', 'b', 'c']");
  EXPECT_EQ(shown("{{ 'a b  c '.split(none, 1) }}{{ ' a b c '.rsplit(none, 1) }}"), "['a', 'b  c '][' a b', 'c']");
}

TEST(JinjaFilters, PartsOfElements) {
  EXPECT_EQ(shown("{{ rows | map(attribute='k', default='-') | join(',') }}"), "b,A,-");
  EXPECT_EQ(shown("{{ [[1, 2], [3]] | map(attribute=0) | list }}"), "[1, 3]");
  EXPECT_EQ(shown("{{ ['a'] | map('tojson', indent=1) | list }}"), "['\"a\"']");
  EXPECT_EQ(shown("{{ rows | sum(attribute='n', start=10) }}"), "16");
  EXPECT_EQ(shown("{{ rows | sort(attribute='n', reverse=true) | map(attribute='n') | list }}"), "[3, 2, 1]");
  EXPECT_EQ(shown("{{ ['b', 'A', 'a'] | sort }}{{ ['b', 'A', 'a'] | sort(case_sensitive=true) }}"),
            "['A', 'a', 'b']['A', 'a', 'b']");
  EXPECT_EQ(shown("{{ ['a', 'A', 'b'] | unique | list }}"), "['a', 'b']");
  EXPECT_EQ(shown("{% for k, v in {'b': 1, 'C': 0} | dictsort(by='value') %}{{ k }}{% endfor %}"), "Cb");
  EXPECT_EQ(shown("{% for k, v in {'b': 1, 'C': 0} | dictsort(reverse=true) %}{{ k }}{% endfor %}"), "Cb");
}

TEST(JinjaFilters, Numbers) {
  EXPECT_EQ(shown("{{ '12a' | int }} {{ 'x' | int(5) }} {{ ' 1.9' | int }} {{ '0x1f' | int(base=16) }}"), "0 5 1 31");
  EXPECT_EQ(shown("{{ none | int(7) }} {{ '1.5a' | float }} {{ 'x' | float(2.5) }} {{ '1.5' | float }}"),
            "7 0.0 2.5 1.5");
}

TEST(JinjaFilters, WhatTheyDoNotTakeIsRefused) {
  EXPECT_EQ(problem("{{ m | tojson(indnt=2) }}"),
            "t:1: the filter \"tojson\" has the argument \"indnt\", which is not known; it takes: ensure_ascii, "
            "indent, separators, sort_keys");
  EXPECT_EQ(problem("{{ 'a' | upper(1) }}"), "t:1: the filter \"upper\" has 1 arguments, it takes: none");
  EXPECT_EQ(problem("{{ 'a'.find('b', 1) }}"), "t:1: find() has 2 arguments, it takes: part");
  EXPECT_EQ(problem("{{ 'a' | trim('a', chars='b') }}"), "t:1: the filter \"trim\" has the argument \"chars\" twice");
  EXPECT_EQ(problem("{% macro f(a) %}{% endmacro %}{{ f(1, b=2) }}"),
            "t:1: the macro \"f\" has the argument \"b\", which is not known; it takes: a");
}

// As Qwen 3's template asks in every turn of its loop.
TEST(Jinja, HowManyMessagesCostsOneStep) {
  Json messages = Json::array();
  for (int i = 0; i < 2000; ++i) messages.push_back({{"content", std::string(100, 'x')}});
  EXPECT_EQ(jinja::Template("{% set ns = namespace(n=0) %}{% for m in ms %}{% set ns.n = (ms | length - 1) - "
                            "loop.index0 + (ms | first)['content'] | length %}{% endfor %}{{ ns.n }}",
                            "t")
                .render({{"ms", messages}}),
            "100");
}

// Of two million characters in a thousand turns: minutes where each takes the text apart.
TEST(JinjaFilters, TheEndsOfATextAreItsCharacters) {
  EXPECT_EQ(shown("{{ 'äbö' | first }}{{ 'äbö' | last }}{{ 'x' | last }}|{{ '' | first }}{{ '' | last }}"), "äöx|");
  EXPECT_EQ(shown("{{ {'a': 1, 'c': 2, 'b': 3} | first }}{{ {'a': 1, 'c': 2, 'b': 3} | last }}"), "ab");
  EXPECT_EQ(shown("{{ ('' | first) is defined }}{{ ({} | last) is defined }}"), "FalseFalse");
  EXPECT_EQ(jinja::Template("{% set ns = namespace(n=0) %}{% for i in range(1000) %}{% if (b | first) + (b | last) == "
                            "'xy' %}{% set ns.n = ns.n + 1 %}{% endif %}{% endfor %}{{ ns.n }}",
                            "t")
                .render({{"b", std::string(2'000'000, 'x') + "y"}}),
            "1000");
}

TEST(Jinja, MembersOfNothing) {
  EXPECT_EQ(shown("{{ m.a[0] }}|{{ m.a['x'] }}|{{ m.b[0] is defined }}"), "||False");
  EXPECT_EQ(shown("{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ dict({'a': 1}, b=2) }}"),
            "12{'a': 1, 'b': 2}");
}

}  // namespace
}  // namespace rgm
