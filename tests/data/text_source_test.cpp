// text_source_test.cpp - windows of a text: each once an epoch, the same for everybody who asks.
#include <algorithm>
#include <set>

#include "base/packed.hpp"
#include "data/text_source.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(TextSourceTest, TenTokensHaveThreeWindowsOfContextFour) {
  const auto source = open({write("ten.txt", "abcdefghij")}, 4);
  EXPECT_EQ(source->units(), 3);
  EXPECT_EQ(source->tokens(), 10);
  const Batch batch = source->in_order(0, 3);
  EXPECT_EQ(row_text(batch, 0), "abcde");
  EXPECT_EQ(row_text(batch, 1), "efghi");  // every token but the first is predicted once
  EXPECT_EQ(row_text(batch, 2), "ij");     // the last may be shorter
  const BatchColumn& c = batch.columns.at("text");
  EXPECT_THAT(c.segments, ElementsAre(1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 0, 0, 0));
  EXPECT_THAT(c.reals, ElementsAre(0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0));
  EXPECT_THAT(c.ends, ElementsAre(4, 9, 11));
  EXPECT_EQ(total(batch, "text.weights", false), 9);
}

TEST_F(TextSourceTest, InOrderEveryTokenButTheFirstIsPredictedOnce) {
  for (size_t n = 6; n < 40; ++n) {
    std::string text;
    for (size_t i = 0; i < n; ++i) text += static_cast<char>('A' + i);
    const auto source = open({write("n.txt", text)}, 5);
    std::string predicted;
    for (int64_t u = 0; u < source->units(); ++u) predicted += row_text(source->in_order(u, u + 1), 0).substr(1);
    EXPECT_EQ(predicted, text.substr(1)) << n;
  }
}

TEST_F(TextSourceTest, EveryEpochVisitsEachWindowOnce) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>(' ' + i % 90);
  const auto source = open({write("t.txt", text)}, 7);
  const int64_t n = source->units();
  EXPECT_EQ(n, 15);  // 99 predicted tokens in sevens
  std::set<std::vector<int64_t>> orders;
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    std::vector<int64_t> order;
    for (int64_t i = 0; i < n; ++i) order.push_back(source->unit_at(epoch * n + i, 42));
    orders.insert(order);
    std::ranges::sort(order);
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  }
  EXPECT_EQ(orders.size(), 5U);
}

TEST_F(TextSourceTest, ShuffledWindowsAreWholeAndFromTheText) {
  const std::string text = "the quick brown fox jumps over the lazy dog 0123456789";
  const auto source = open({write("t.txt", text)}, 8);
  std::set<std::string> seen;
  for (int64_t i = 0; i < 40 * source->units(); ++i) {
    const std::string window = row_text(source->batch(i, 1, 3), 0);
    EXPECT_EQ(window.size(), 9U);
    EXPECT_NE(text.find(window), std::string::npos) << window;
    seen.insert(window);
  }
  EXPECT_EQ(seen.size(), text.size() - 8);  // the offset of the epochs moves, so every window comes
}

TEST_F(TextSourceTest, APositionIsTheSameWhoeverAsks) {
  const auto path = write("t.txt", std::string(50, 'a') + std::string(50, 'b') + "0123456789");
  const auto source = open({path}, 8), resumed = open({path}, 8);
  const Batch all = source->batch(0, 30, 7);
  for (const int64_t from : {0, 1, 13, 29}) {
    const Batch one = resumed->batch(from, 1, 7);
    EXPECT_EQ(row_text(one, 0), row_text(all, from));
  }
  EXPECT_NE(all.columns.at("text").integers, source->batch(0, 30, 8).columns.at("text").integers);
}

TEST_F(TextSourceTest, TheSplitTakesTheTail) {
  const auto path = write("t.txt", "abcdefghijklmnopqrst!");  // 21 tokens: 18 and 3
  EXPECT_EQ(open({path}, 2, 0, 0.9)->tokens(), 18);
  const auto held_out = open({path}, 2, 0.9, 1);
  EXPECT_EQ(held_out->tokens(), 3);
  EXPECT_EQ(row_text(held_out->in_order(0, 1), 0), "st!");
}

TEST_F(TextSourceTest, AtMostTheFirstWindowsAreRead) {
  DataSpec spec{.format = "text", .files = {write("ten.txt", "abcdefghij")}, .columns = {}, .rows = 2};
  const auto of = [&](int64_t context) {
    return open_source(spec, {text_wish}, byte_tokenizer(), {.context = context, .cache = folder / "cache"});
  };
  EXPECT_EQ(of(4)->units(), 2);
  EXPECT_EQ(of(4)->tokens(), 9);
  EXPECT_EQ(row_text(of(4)->in_order(1, 2), 0), "efghi");
  for (const int64_t rows : {3, 100}) {
    spec.rows = rows;
    EXPECT_EQ(of(4)->tokens(), 10) << rows;
  }
  spec.rows = 4, spec.split_begin = 0.5;  // of nine tokens the last five
  EXPECT_EQ(row_text(of(2)->in_order(0, 1), 0), "efg");
  EXPECT_EQ(of(2)->tokens(), 5);
}

TEST_F(TextSourceTest, DocumentsArePartedByTheEndOfText) {
  const auto source = open({write("1.txt", "abc"), write("2.txt", "def")}, 6);
  EXPECT_THAT(source->in_order(0, 1).columns.at("text").integers, ElementsAre('a', 'b', 'c', 256, 'd', 'e', 'f'));
}

TEST_F(TextSourceTest, TooLittleTextSaysHowMuchIsThere) {
  EXPECT_THAT(refusal({write("e.txt", "")}, 4), HasSubstr("e.txt: is empty"));
  EXPECT_THAT(refusal({write("s.txt", "abcd")}, 4), HasSubstr("has 4 tokens, a context of 4 needs at least 5"));
  EXPECT_THAT(refusal({write("l.txt", std::string(100, 'x'))}, 16, 0.9), HasSubstr("10 tokens in the share from 0.9"));
  EXPECT_EQ(refusal({write("k.txt", "abcde")}, 4), "opened");
  EXPECT_THAT(refusal({folder / "absent.txt"}, 4), HasSubstr("absent.txt"));
}

TEST_F(TextSourceTest, OneRepeatedTokenLeavesNothingToLearn) {
  EXPECT_THAT(refusal({write("r.txt", std::string(9000, 'x'))}, 4),
              HasSubstr("all of its 9,000 tokens are \"x\", which leaves nothing to learn"));
  EXPECT_EQ(refusal({write("d.txt", std::string(9000, 'x') + "y")}, 4), "opened");
}

TEST_F(TextSourceTest, BrokenTextIsNamedWithItsPlace) {
  EXPECT_THAT(refusal({write("b.txt", "good \xff bad")}, 4), HasSubstr("b.txt: is not UTF-8 at byte 5"));
  EXPECT_THAT(refusal({write("c.txt", "cut \xe2\x82")}, 4), HasSubstr("byte 4"));
  EXPECT_THAT(refusal({write("z.txt", "\x1F\x8B\x08 and so on")}, 4), HasSubstr("z.txt: its gzip data is damaged"));
}

TEST_F(TextSourceTest, APackedTextHasTheWindowsOfTheUnpackedOne) {
  const std::string text = "one two three four five six";
  const auto plain = open({write("a.txt", text)}, 8);
  for (const std::string& packed :
       {test::gzipped(text), test::gzipped("one two ") + test::gzipped(text.substr(8)), test::zstandard(text)}) {
    const auto source = open({write("a.txt.gz", packed)}, 8);
    ASSERT_EQ(source->units(), plain->units());
    for (int64_t i = 0; i < plain->units(); ++i)
      EXPECT_EQ(row_text(source->in_order(i, i + 1), 0), row_text(plain->in_order(i, i + 1), 0));
  }
  const std::string cut = test::zstandard(text).substr(0, 20);
  EXPECT_THAT(refusal({write("b.txt", cut)}, 8), HasSubstr("b.txt: is cut off: its zstd data goes on"));
}

}  // namespace
}  // namespace rgm
