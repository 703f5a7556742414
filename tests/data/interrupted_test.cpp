// interrupted_test.cpp - what takes long before a step is taken stops at Ctrl-C, between two pieces, and says what it
// was at. In processes of their own, as an interruption is for good.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "artefact/folder.hpp"
#include "base/interrupt.hpp"
#include "data/content_hash.hpp"
#include "data/rows.hpp"
#include "data/text_pieces.hpp"
#include "data/token_file.hpp"

namespace rgm {
namespace {

class InterruptedDeathTest : public testing::Test {
 protected:
  // Says on stderr what stopped `does`, which was called after a Ctrl-C.
  template <class Does>
  [[noreturn]] static void interrupted_in(const Does& does) {
    catch_interrupts();
    ::kill(::getpid(), SIGINT);
    while (!interrupted()) ::usleep(100);
    try {
      does();
    } catch (const Interrupted& e) {
      std::fprintf(stderr, "%s\n", e.what());
      ::_exit(130);
    }
    ::_exit(0);
  }
  fs::path write(const std::string& name, const std::string& text) {
    write_file(folder / name, text);
    return folder / name;
  }
  test::Folder folder;
  const testing::ExitedWithCode stopped{130};
};

TEST_F(InterruptedDeathTest, NoFurtherRowIsRead) {
  const fs::path file = write("f.jsonl", "{\"a\": 1}\n{\"a\": 2}\n");
  const auto never = [](Row&, const std::string&) { ::_exit(1); };
  EXPECT_EXIT(interrupted_in([&] { each_row(file, "jsonl", false, never); }), stopped,
              "interrupted while reading .*f.jsonl");
}

TEST_F(InterruptedDeathTest, NoFurtherPieceOfATextIsTokenised) {
  const fs::path file = write("t.txt", "one text to learn");
  const auto never = [](std::string_view, size_t) { ::_exit(1); };
  EXPECT_EXIT(interrupted_in([&] { each_piece(file, nullptr, never); }), stopped, "interrupted while reading .*t.txt");
  const std::string content = content_hash(std::span(&file, 1), {});
  EXPECT_EXIT(interrupted_in([&] { TokenFile::open({file}, content, *byte_tokenizer(), folder / "cache"); }), stopped,
              "interrupted while reading .*t.txt");
  EXPECT_TRUE(fs::is_empty(folder / "cache")) << "no half of a file is left";
}

TEST_F(InterruptedDeathTest, KeptTokensAreNotLookedThrough) {
  const fs::path file = write("t.txt", "one text to learn");
  const std::string content = content_hash(std::span(&file, 1), {});
  const auto open = [&] { TokenFile::open({file}, content, *byte_tokenizer(), folder / "cache"); };
  open();
  EXPECT_EXIT(interrupted_in(open), stopped, "interrupted while scanning the tokens of a text");
}

TEST_F(InterruptedDeathTest, NoFurtherFileIsHashed) {
  const fs::path file = write("t.txt", "one text to learn");
  EXPECT_EXIT(interrupted_in([&] { content_hash(std::span(&file, 1), {}); }), stopped,
              "interrupted while hashing .*t.txt");
}

TEST_F(InterruptedDeathTest, NoFurtherMergeIsLearned) {
  EXPECT_EXIT(interrupted_in([] { train_bpe("aa aa aa", {.vocabulary = 300}); }), stopped,
              "interrupted while learning the tokenizer");
}

}  // namespace
}  // namespace rgm
