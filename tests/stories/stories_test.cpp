// stories_test.cpp - the stories are the same everywhere, long enough, all different, and right in what a rule can see.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

#include "base/sha256.hpp"
#include "stories/grammar.hpp"
#include "stories/plots.hpp"
#include "stories/story.hpp"

namespace rgm::stories {
namespace {

constexpr uint64_t many = 400;

std::vector<std::string> paragraphs(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

TEST(Grammar, VerbsHaveTheirForms) {
  EXPECT_EQ(conjugate("carry the wood").third, "carries the wood");
  EXPECT_EQ(conjugate("carry the wood").past, "carried the wood");
  EXPECT_EQ(conjugate("fly the kite").past, "flew the kite");
  EXPECT_EQ(conjugate("sit on a stone").ing, "sitting on a stone");
  EXPECT_EQ(conjugate("juggle").ing, "juggling");
  EXPECT_EQ(conjugate("wash the cups").third, "washes the cups");
  EXPECT_EQ(conjugate("stir a pot").past, "stirred a pot");
  EXPECT_EQ(conjugate("beat the drum").ing, "beating the drum");
  EXPECT_EQ(conjugate("play the fiddle").past, "played the fiddle");
}

TEST(Grammar, TheArticleFollowsTheSound) {
  EXPECT_EQ(with_article("old owl"), "an old owl");
  EXPECT_EQ(with_article("fox"), "a fox");
  EXPECT_EQ(with_article("one-eyed sailor"), "a one-eyed sailor");
  EXPECT_EQ(with_article("useful rope"), "a useful rope");
  EXPECT_EQ(with_article("hour"), "an hour");
}

TEST(Grammar, SentencesBeginWithACapital) {
  EXPECT_EQ(capitalise("she ran. \"stop!\" said he. \"yes,\" she said, \"now.\" he went"),
            "She ran. \"Stop!\" said he. \"Yes,\" she said, \"now.\" He went");
}

TEST(Stories, AreTheSameEverywhere) {
  const std::string text = collect(400000, 1);
  EXPECT_GE(text.size(), 400000U);
  EXPECT_EQ(text, collect(400000, 1));
  EXPECT_NE(text, collect(400000, 2));
  EXPECT_EQ(tell(1, 5).text, tell(1, 5).text);
}

TEST(Stories, NoneIsToldTwice) {
  std::set<std::string> seen, beginnings;
  for (uint64_t n = 0; n < many; ++n) {
    EXPECT_TRUE(seen.insert(tell(1, n).text).second) << n;
    beginnings.insert(paragraphs(tell(1, n).text)[1]);
  }
  EXPECT_GT(beginnings.size(), many * 9 / 10);
}

TEST(Stories, EveryPlotIsTold) {
  std::set<std::string> seen;
  for (uint64_t n = 0; n < many; ++n) seen.insert(tell(1, n).plot);
  EXPECT_EQ(seen.size(), plots().size());
}

TEST(Stories, BeginAndEndWithTheHeroAndTheObject) {
  for (uint64_t n = 0; n < many; ++n) {
    const Story story = tell(1, n);
    const auto lines = paragraphs(story.text);
    for (const std::string& line : {lines.front(), lines.back()}) {
      EXPECT_THAT(line, testing::HasSubstr(story.hero)) << story.plot;
      EXPECT_THAT(line, testing::HasSubstr(story.object)) << story.plot;
    }
  }
}

TEST(Stories, AreWellFormedToALetter) {
  // `a` before a vowel and `an` before a consonant, except where the sound differs from the letter
  const std::regex wrong_article(R"(\b[Aa] (?!one\b|one-|use)[aeiou]|\b[Aa]n [^aeiouh])");
  // gaps left over, blanks or marks twice, a word twice, a blank before a mark, a small letter after a full stop
  const std::regex wrong_text(R"([{}\[\]|]|  |[.,]{2}| [.,!?]|[.]"? [a-z]|\b([a-z]+) \1\b|[?!.],"|",|[?!.]"[.,])");
  for (uint64_t n = 0; n < many; ++n)
    for (const std::string& line : paragraphs(tell(1, n).text)) {
      std::smatch found;
      EXPECT_FALSE(std::regex_search(line, found, wrong_article)) << found.str() << " in: " << line;
      EXPECT_FALSE(std::regex_search(line, found, wrong_text)) << found.str() << " in: " << line;
      EXPECT_TRUE(std::string(".!?\"").find(line.back()) != std::string::npos) << line;
      EXPECT_EQ(std::ranges::count(line, '"') % 2, 0) << line;
      EXPECT_TRUE(std::isupper(static_cast<unsigned char>(line[0])) || line[0] == '"') << line;
    }
}

TEST(Stories, TheObjectAgreesWithItsVerb) {
  const std::regex wrong(
      R"(\b(mittens|marbles|boots|glasses|slippers|spoons|balls|stilts) (is|was)\b)"
      R"(|\b(they|you|we) (is|was|has)\b|\bI (is|are|were)\b|\b(he|she) (are|were|have)\b|\bit (are|have)\b)");
  for (uint64_t n = 0; n < many; ++n) {
    const std::string text = tell(1, n).text;
    std::smatch found;
    EXPECT_FALSE(std::regex_search(text, found, wrong)) << found.str() << " in: " << text;
  }
}

}  // namespace
}  // namespace rgm::stories
