// unpacked_file_test.cpp - files that gzip and zstd have packed, whole, cut off, damaged and followed by something
// else.
#include "base/unpacked_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "base/packed.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class UnpackedFileTest : public testing::Test {
 protected:
  std::string read(const std::string& content, size_t room = 1000) {
    const fs::path path = folder / "some.file";
    write_file(path, content, Sync::no);
    UnpackedFile file(path);
    std::string out, piece(room, '\0');
    for (size_t n = room; n == room;) {
      n = file.read(piece.data(), room);
      out.append(piece, 0, n);
    }
    return out;
  }
  std::string refusal(const std::string& content) {
    try {
      return "read: " + read(content);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
  }
  test::Folder folder;
  // Each pack of both: what the message calls it, and how it is made.
  const std::vector<std::pair<std::string, std::function<std::string(std::string_view)>>> packs = {
      {"gzip", test::gzipped}, {"zstd", test::zstandard}};
};

std::string numbers(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += std::to_string(i) + '\n';
  return out;
}

TEST_F(UnpackedFileTest, WhatIsPackedReadsAsWhatWasPackedWhateverItsName) {
  const std::string text = numbers(60'000);  // 350 kB, several pieces of the file
  EXPECT_EQ(read(text), text);
  for (const auto& [name, pack] : packs) {
    EXPECT_EQ(read(pack(text)), text) << name;
    EXPECT_EQ(read(pack("a few bytes"), 1), "a few bytes") << name;
    EXPECT_EQ(read(pack("")), "") << name;
  }
  EXPECT_EQ(read(""), "");
}

TEST_F(UnpackedFileTest, MembersFollowEachOtherAsInOneFile) {
  for (const auto& [name, pack] : packs)
    EXPECT_EQ(read(pack("one ") + pack("") + pack("two ") + pack("three"), 3), "one two three") << name;
}

TEST_F(UnpackedFileTest, FramesThatZstdSkipsAreSkipped) {
  const std::string frame("\x50\x2A\x4D\x18\x02\0\0\0ab", 10);  // pzstd begins each of its frames so
  EXPECT_EQ(read(frame + test::zstandard("text") + frame), "text");
}

TEST_F(UnpackedFileTest, ZerosMayFillGzipUpAndNothingElse) {
  EXPECT_EQ(read(test::gzipped("text") + std::string(700, '\0')), "text");
  EXPECT_THAT(refusal(test::gzipped("text") + std::string(3, '\0') + "x"), HasSubstr("not gzip follows its end"));
  EXPECT_THAT(refusal(test::gzipped("text") + "more"), HasSubstr("not gzip follows its end"));
  EXPECT_THAT(refusal(test::zstandard("text") + "more"), HasSubstr("its zstd data is damaged after 4 unpacked bytes"));
}

TEST_F(UnpackedFileTest, AFileThatIsCutOffAnywhereIsRefused) {
  for (const auto& [name, pack] : packs) {
    const std::string whole = pack(numbers(20));
    for (size_t length = 6; length < whole.size(); ++length)
      EXPECT_THAT(refusal(whole.substr(0, length)), HasSubstr("some.file: is cut off: its " + name + " data goes on"))
          << length;
  }
}

TEST_F(UnpackedFileTest, NoByteOfTheTextChangesUnseen) {
  const std::string text = numbers(20);
  for (const auto& [name, pack] : packs) {
    const std::string whole = pack(text);
    for (size_t at = 6; at < whole.size(); ++at) {
      if (name == "gzip" && at < 10) continue;  // when and where it was packed
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ 0x10);
      const std::string said = refusal(changed);
      if (said == "read: " + text) continue;  // a few bits are padding
      EXPECT_THAT(said, testing::AnyOf(HasSubstr("is damaged after"), HasSubstr("is cut off"))) << at;
    }
  }
}

TEST_F(UnpackedFileTest, OtherPacksAreToldWithWhatUnpacksThem) {
  EXPECT_THAT(refusal(std::string("\xFD\x37\x7A\x58\x5A\0rest", 10)),
              HasSubstr("xz; unpack it, for example with unxz"));
  EXPECT_THAT(refusal("BZh91AY&SY"), HasSubstr("bzip2; unpack it, for example with bunzip2"));
  EXPECT_THAT(refusal("PK\x03\x04rest"), HasSubstr("is a zip archive; unpack it"));
  EXPECT_THAT(refusal("PAR1\x15\x04"), HasSubstr("is a Parquet file; name it as one, as in {parquet: FILE}"));
}

TEST_F(UnpackedFileTest, ItsSumIsOfTheFileAsItLies) {
  const std::string packed = test::gzipped("text") + std::string(5, '\0');
  write_file(folder / "f", packed);
  Sha256 sum;
  UnpackedFile file(folder / "f", &sum);
  char room[9];
  EXPECT_EQ(file.read(room, 9), 4U);
  EXPECT_EQ(sum.hex(), sha256(packed));
}

TEST_F(UnpackedFileTest, AWindowOfMoreThanItsLimitIsToldAsSuch) {
  // A frame whose head asks for 256 MiB: one block, the last, of one byte that is repeated.
  const std::string frame("\x28\xB5\x2F\xFD\x00\x90\x0B\x00\x00x", 10);
  EXPECT_THAT(refusal(frame), HasSubstr("a window of more than 128 MiB: pack it again, without --long=28 or more"));
}

}  // namespace
}  // namespace rgm
