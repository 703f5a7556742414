// text_source_test.cpp - windows of a text: each once an epoch, the same for everybody who asks, tokenised once.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "data/source.hpp"
#include "data/text_pieces.hpp"
#include "data/token_file.hpp"

namespace rgm {
namespace {

std::string whole_text(const DataSpec& spec, const std::vector<ColumnWish>& wishes = {}) {
  std::string out;
  each_text(
      spec, nullptr, [&](std::string_view text) { out += text; }, wishes);
  return out;
}

using testing::ElementsAre;
using testing::HasSubstr;

const ColumnWish text_wish{"text", RGM_TOKENS_COLUMN, 0};

class TextSourceTest : public testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& text) {
    write_file(folder / name, text);
    return folder / name;
  }
  std::unique_ptr<Source> open(const std::vector<fs::path>& files, int64_t context, double begin = 0, double end = 1) {
    DataSpec spec{.format = "text", .files = files, .columns = {}, .split_begin = begin, .split_end = end};
    return open_source(spec, {text_wish}, byte_tokenizer(), {.context = context, .cache = folder / "cache"});
  }
  std::string refusal(const std::vector<fs::path>& files, int64_t context, double begin = 0) {
    try {
      open(files, context, begin);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "opened";
  }
  std::vector<fs::path> token_files() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder / "cache"))
      if (entry.path().extension() == ".tokens") out.push_back(entry.path());
    return out;
  }
  static std::string row_text(const Batch& batch, int64_t row) {
    const BatchColumn& c = batch.columns.at("text");
    std::string out;
    for (int64_t i = row * c.length; i < (row + 1) * c.length; ++i)
      if (c.segments[static_cast<size_t>(i)]) out += static_cast<char>(c.integers[static_cast<size_t>(i)]);
    return out;
  }
  test::Folder folder;
};

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
  EXPECT_THAT(refusal({write("z.txt", "\x1F\x8B\x08 and so on")}, 4), HasSubstr("z.txt: is compressed with gzip"));
}

TEST_F(TextSourceTest, IsTokenisedOnceForAText) {
  const auto path = write("t.txt", "one text to learn");
  open({path}, 4);
  ASSERT_EQ(token_files().size(), 1U);
  struct stat before {
  }, after{};
  ::stat(token_files()[0].c_str(), &before);
  open({path}, 8, 0, 0.9);  // neither context nor split makes it anew
  ASSERT_EQ(token_files().size(), 1U);
  ::stat(token_files()[0].c_str(), &after);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

TEST_F(TextSourceTest, ChangedTextIsTokenisedAnew) {
  const auto path = write("t.txt", "one text to learn");
  const std::string sum = open({path}, 4)->sha256();
  const auto time = fs::last_write_time(path);
  write("t.txt", "two text to learn");  // of the same size
  fs::last_write_time(path, time);      // and the same age
  const auto source = open({path}, 4);
  EXPECT_EQ(row_text(source->in_order(0, 1), 0), "two t");
  EXPECT_NE(source->sha256(), sum);
  EXPECT_EQ(token_files().size(), 2U);
}

TEST_F(TextSourceTest, ARememberedHashIsNotBelievedOfAChangedFile) {
  const auto path = write("t.txt", "one text to learn");
  struct timespec old[2] = {{1000, 0}, {1000, 0}};
  ::utimensat(AT_FDCWD, path.c_str(), old, 0);
  open({path}, 4);
  write("t.txt", "two text to learn");
  ::utimensat(AT_FDCWD, path.c_str(), old, 0);
  EXPECT_EQ(row_text(open({path}, 4)->in_order(0, 1), 0), "two t");
}

TEST_F(TextSourceTest, ADamagedCacheIsMadeAgain) {
  const auto path = write("t.txt", "one text to learn");
  open({path}, 4);
  const std::string whole = read_file(token_files()[0]);
  for (const size_t n : {size_t{0}, size_t{7}, size_t{80}, whole.size() - 16, whole.size() - 1}) {
    write_file(token_files()[0], whole.substr(0, n));
    EXPECT_EQ(row_text(open({path}, 4)->in_order(0, 1), 0), "one t") << n;
    EXPECT_EQ(read_file(token_files()[0]), whole);
  }
  // An id, the count of them, a digit of the sum.
  for (const size_t n : {size_t{80}, size_t{100}, whole.size() - 80, whole.size() - 20}) {
    std::string damaged = whole;
    damaged[n] ^= 1;
    write_file(token_files()[0], damaged);
    testing::internal::CaptureStderr();
    EXPECT_EQ(row_text(open({path}, 4)->in_order(0, 1), 0), "one t") << n;
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(".tokens is damaged and is made again"));
    EXPECT_EQ(read_file(token_files()[0]), whole);
  }
}

TEST_F(TextSourceTest, WithoutACacheIdsStayInMemory) {
  const auto path = write("t.txt", "one text to learn");
  const DataSpec spec{.format = "text", .files = {path}, .columns = {}};
  const auto source = open_source(spec, {text_wish}, byte_tokenizer(), {.context = 4, .cache = {}});
  EXPECT_EQ(row_text(source->in_order(0, 1), 0), "one t");
  EXPECT_FALSE(fs::exists(folder / "cache"));
}

TEST_F(TextSourceTest, IdsDoNotDependOnTheSizeOfThePieces) {
  std::string text =
      "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. 漢字 and  spaces\n\n\tit's 1234 ";
  for (int i = 0; i < 5; ++i) text += text;
  const auto path = write("t.txt", text);
  for (const TokenizerPtr& tokenizer : {train_bpe(text, {.vocabulary = 320}), character_tokenizer(text)}) {
    const auto whole = tokenizer->encode(text);
    for (const size_t size : {1, 2, 3, 7, 64, 1000}) {
      std::vector<int32_t> ids;
      std::string read;
      each_piece(
          path, tokenizer.get(),
          [&](std::string_view piece, size_t offset) {
            EXPECT_EQ(offset, read.size());
            read += piece;
            const auto more = tokenizer->encode(piece);
            ids.insert(ids.end(), more.begin(), more.end());
          },
          size);
      EXPECT_EQ(read, text);
      EXPECT_EQ(ids, whole) << tokenizer->kind() << " in pieces of " << size;
    }
  }
}

TEST_F(TextSourceTest, AnotherEndOfTextIsTokenisedAnew) {
  const std::vector<fs::path> files = {write("a.txt", "ab"), write("b.txt", "cd")};
  const auto json = train_bpe("x", {.vocabulary = 258, .specials = {"<|endoftext|>", "<|end|>"}})->to_json();
  const DataSpec spec{.format = "text", .files = files, .columns = {}};
  std::vector<int32_t> ends;
  for (const char* const name : {"<|endoftext|>", "<|end|>"}) {
    const TokenizerPtr tokenizer = tokenizer_from_json(json, "t", {{"eos_token", name}});
    const auto source = open_source(spec, {text_wish}, tokenizer, {.context = 4, .cache = folder / "cache"});
    ends.push_back(source->in_order(0, 1).columns.at("text").integers[2]);
    EXPECT_EQ(ends.back(), tokenizer->specials().at(name));
  }
  EXPECT_NE(ends[0], ends[1]);
  EXPECT_EQ(token_files().size(), 2U);
}

TEST_F(TextSourceTest, ReadTextIsAllFiles) {
  const DataSpec spec{.format = "text", .files = {write("1.txt", "abc"), write("2.txt", "def")}, .columns = {}};
  EXPECT_EQ(whole_text(spec), "abcdef");
  const DataSpec rows{.format = "jsonl",
                      .files = {write("r.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\"}\n")},
                      .columns = {}};
  EXPECT_EQ(whole_text(rows), "a\nb\n");
}

// A tokenizer learns from what will be tokens, whatever else is in a row.
TEST_F(TextSourceTest, OfRowsTheTextIsWhatIsReadAsTokens) {
  const auto text_of = [&](const std::string& row, const std::vector<ColumnMap>& columns,
                           const std::vector<ColumnWish>& wishes) {
    return whole_text({.format = "jsonl", .files = {write("r.jsonl", row + "\n")}, .columns = columns}, wishes);
  };
  EXPECT_EQ(text_of(R"({"text": 42, "y": "bad"})", {}, {text_wish}), "42\n")
      << "a number that is read as tokens is a text";
  const ColumnWish label{"label", RGM_LABEL_COLUMN, RGM_OPTIONAL}, chosen{"chosen", RGM_TOKENS_COLUMN, 0};
  const std::string rated = R"({"text": "a", "y": "good", "note": "n"})";
  EXPECT_EQ(text_of(rated, {{"label", "y", {}}}, {text_wish, label}), "a\n");
  EXPECT_EQ(text_of(rated, {{"label", "y", {}}}, {}), "good\na\n");  // nobody has said that it is none
  EXPECT_EQ(text_of(rated, {{"text", "note", {}}}, {text_wish, label}), "n\n");
  EXPECT_EQ(text_of(R"({"y": "good"})", {{"label", "y", {}}}, {text_wish, label}), "good\n");  // nothing else is there
  EXPECT_EQ(text_of(R"({"prompt": "q", "chosen": "a", "rejected": "b"})", {}, {chosen}), "q\na\n");
  EXPECT_EQ(text_of(R"({"prompt": "q", "completion": "a", "id": "i"})", {}, {text_wish}), "q\na\n");
}

TEST_F(TextSourceTest, OfConversationsTheTextIsWhatTheirTemplateShows) {
  const std::string row =
      R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "id": "i"})"
      "\n";
  DataSpec spec{.format = "jsonl", .files = {write("r.jsonl", row)}, .columns = {}};
  spec.columns = {{"text", "messages", {}, ChatMap{.template_name = "chatml"}}};
  EXPECT_EQ(whole_text(spec, {text_wish}), "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n\n");
  write("r.jsonl", R"({"instruction": "I", "output": "O"})"
                   "\n");
  spec.columns = {};
  EXPECT_THAT(whole_text(spec, {text_wish}), HasSubstr("### Instruction:\nI\n\n### Response:\nO"));
  // Without a template they cannot be read later either.
  write("r.jsonl", row);
  try {
    whole_text(spec, {text_wish});
    ADD_FAILURE() << "it was read";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("has no chat template: name one for the column \"text\""));
  }
}

}  // namespace
}  // namespace rgm
