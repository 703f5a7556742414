// json_test.cpp - JSON from outside, and how deep it may be.
#include "base/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace rgm {
namespace {

std::string nested(size_t n) { return std::string(n, '[') + std::string(n, ']'); }

std::string refusal(const std::string& text) {
  try {
    parse_json(text, "f.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
  return "parsed";
}

TEST(Json, MayBeAHundredDeep) {
  EXPECT_EQ(parse_json(nested(100), "f.json").dump(), nested(100));
  EXPECT_EQ(refusal(nested(101)), "f.json: JSON is nested more than 100 levels deep, which is the limit");
  EXPECT_EQ(refusal(std::string(200'000, '[')), "f.json: JSON is nested more than 100 levels deep, which is the limit");
  EXPECT_TRUE(json_or_discarded(nested(101)).is_discarded());
  EXPECT_TRUE(is_deeper(nlohmann::json::parse(nested(101)), 100));
  EXPECT_FALSE(is_deeper(nlohmann::json::parse(nested(100)), 100));
}

TEST(Json, BracketsWithinTextsAreNone) {
  const std::string brackets(200, '[');
  EXPECT_EQ(parse_json("\"\\\"" + brackets + "\"", "f.json"), "\"" + brackets);
  EXPECT_EQ(parse_json("[\"\\\\\", []]", "f.json").size(), 2U);
}

TEST(Json, WhatIsNoneIsSaid) {
  EXPECT_THAT(refusal("{\"a\": 1"), testing::StartsWith("f.json: not valid JSON: syntax error while parsing object"));
  EXPECT_TRUE(json_or_discarded("{\"a\": 1").is_discarded());
}

TEST(Json, ANumberWithoutEndIsCutShortWhereItIsQuoted) {
  const std::string said = refusal("{\"a\": " + std::string(100'000, '9') + "}");
  EXPECT_THAT(said, testing::StartsWith("f.json: not valid JSON: number overflow parsing '999"));
  EXPECT_LT(said.size(), 300U);
  EXPECT_EQ(refusal("1e999"), "f.json: not valid JSON: number overflow parsing '1e999'");
}

TEST(Json, NoCharacterIsCutInTwo) {
  for (int before = 0; before < 3; ++before) {  // the umlaut has two bytes
    std::string row = "{\"a\": \"" + std::string(size_t(before), 'x');
    for (int i = 0; i < 400; ++i) row += "\xC3\xBC";
    EXPECT_FALSE(invalid_utf8(refusal(row))) << before;
  }
}

}  // namespace
}  // namespace rgm
