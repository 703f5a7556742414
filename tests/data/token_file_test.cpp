// token_file_test.cpp - a text is tokenised once, and again where it, its end of text or what was kept has changed.
#include <fcntl.h>
#include <sys/stat.h>

#include "data/text_source.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

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

}  // namespace
}  // namespace rgm
