// file_test.cpp - a write leaves the old file or the new one: without commit, on success, and on a full disk.
#include "base/file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iterator>

#include "base/error.hpp"
#include "base/file_error.hpp"
#include "base/sha256.hpp"

namespace rgm {
namespace {

class File : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }
  std::ptrdiff_t files() const { return std::distance(fs::directory_iterator(folder), {}); }
  const fs::path folder = fs::path(testing::TempDir()) / ("file_test" + std::to_string(::getpid()));
  const fs::path path = folder / "file";
};

TEST_F(File, WhatIsWrittenIsRead) {
  const std::string data("a\0b\xFF\n", 5);
  write_file(path, data);
  EXPECT_EQ(read_file(path), data);
  EXPECT_EQ(MappedFile(path).text(), data);
  write_file(path, "");
  EXPECT_EQ(read_file(path), "");
  EXPECT_TRUE(MappedFile(path).bytes().empty());
  EXPECT_EQ(files(), 1);
}

TEST_F(File, WithoutCommitNothingIsLeft) {
  write_file(path, "old");
  {
    FileWriter writer(path);
    writer.write(std::string(3 << 20, 'x'));
  }
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(File, ReplacesInOneStep) {
  write_file(path, "old");
  const MappedFile before(path);
  FileWriter writer(path);
  writer.write("new");
  EXPECT_EQ(read_file(path), "old");
  writer.commit();
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(before.text(), "old");  // who has the old file open keeps it
  EXPECT_EQ(files(), 1);
}

TEST_F(File, AFullDiskLeavesTheOldFile) {
  write_file(path, "old");
  const pid_t child = ::fork();
  if (child == 0) {  // the limit stays with this process
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_file(path, std::string(5000, 'x'));
    } catch (const Error& e) {
      const std::string text = e.what();
      const bool good = exit_status(e) == 1 && text.find(path.string()) == 0 &&
                        text.find("File too large (4000 more bytes") != std::string::npos;
      ::_exit(good ? 0 : 2);
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(File, ALinkStaysALinkAndADeviceADevice) {
  write_file(folder / "real", "old");
  fs::create_symlink("real", path);
  fs::create_symlink(folder / "new", folder / "dangling");
  write_file(path, "new");
  write_file(folder / "dangling", "made");
  EXPECT_TRUE(fs::is_symlink(path));
  EXPECT_EQ(read_file(folder / "real"), "new");
  EXPECT_EQ(read_file(folder / "new"), "made");
  write_file("/dev/null", "gone");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_THAT([] { write_file("/dev/full", "x"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("/dev/full: cannot be written: No space left")));
  EXPECT_EQ(files(), 4);
}

TEST_F(File, OnlyOurOwnUnfinishedFilesAreRemoved) {
  fs::create_directories(folder / "below");
  const auto names = {"a.json.tmp123-0", "a.tmp2024", "a.tmp2024-06-01", "notes.tmp-1",
                      "a.tmp1-",         ".tmp1-2",   "a.tmp7-1x"};
  for (const char* name : names) write_file(folder / name, ""), write_file(folder / "below" / name, "");
  remove_unfinished(folder, Depth::here);
  EXPECT_EQ(files(), 7) << "six of them, and the folder";
  EXPECT_FALSE(fs::exists(folder / "a.json.tmp123-0"));
  EXPECT_TRUE(fs::exists(folder / "below/a.json.tmp123-0"));
  remove_unfinished(folder, Depth::below);
  EXPECT_EQ(files(), 7);
  EXPECT_FALSE(fs::exists(folder / "below/a.json.tmp123-0"));
  remove_unfinished(folder / "none", Depth::below);
}

TEST_F(File, AMissingFileIsTheUsersMistake) {
  for (const fs::path& wrong : {folder / "none", folder}) {
    try {
      read_file(wrong);
      FAIL() << "read " << wrong;
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      EXPECT_THAT(e.what(), testing::StartsWith(wrong.string()));
    }
  }
}

TEST_F(File, AFolderReplacesAnother) {
  fs::create_directories(folder / "new/sub");
  write_file(folder / "new/sub/a", "2");
  replace_folder(folder / "new", folder / "to");
  EXPECT_EQ(read_file(folder / "to/sub/a"), "2");
  fs::create_directories(folder / "newer");
  write_file(folder / "newer/b", "3");
  replace_folder(folder / "newer", folder / "to");
  EXPECT_EQ(read_file(folder / "to/b"), "3");
  EXPECT_FALSE(fs::exists(folder / "to/sub"));
  EXPECT_EQ(files(), 1);
}

TEST_F(File, WhatTheFileSystemSaysIsTheUsersMistakeOrNot) {
  const auto said = [](std::errc code) { return as_error({"cannot do it", "some/path", std::make_error_code(code)}); };
  EXPECT_EQ(said(std::errc::filename_too_long).what(),
            std::string("some/path: the name is too long; choose a shorter one"));
  EXPECT_EQ(said(std::errc::too_many_symbolic_link_levels).status(), RGM_INVALID);
  EXPECT_EQ(said(std::errc::no_space_on_device).status(), RGM_INTERNAL);
  EXPECT_EQ(said(std::errc::no_space_on_device).what(), std::string("some/path: No space left on device"));
  try {
    fs::create_directories(folder / std::string(300, 'x'));
    FAIL() << "made";
  } catch (const fs::filesystem_error& e) {
    EXPECT_THAT(as_error(e).what(), testing::StartsWith(folder.string()));
  }
}

TEST_F(File, WithoutATemporaryFolderTmpdirIsNamed) {
  const char* const set = std::getenv("TMPDIR");
  const std::string before = set ? set : "";
  ::setenv("TMPDIR", folder.c_str(), 1);
  EXPECT_EQ(make_temporary_folder("test").parent_path(), folder);
  ::setenv("TMPDIR", (folder / "none").c_str(), 1);
  EXPECT_THAT([] { make_temporary_folder("test"); },
              testing::ThrowsMessage<Error>(folder.string() +
                                            "/none: a folder cannot be created there: No such file or directory; set "
                                            "TMPDIR to a folder that can be written to (it is set to this one)"));
  before.empty() ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", before.c_str(), 1);
}

TEST_F(File, ADescriptorIsHashedFromItsBeginning) {
  write_file(path, "abc");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char c = 0;
  EXPECT_EQ(::read(fd, &c, 1), 1);
  EXPECT_EQ(sha256_of_descriptor(fd), sha256("abc"));
  ::close(fd);
}

}  // namespace
}  // namespace rgm
