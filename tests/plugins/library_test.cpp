// library_test.cpp - plug-in files that are each wrong in one way are refused, and the message says what to do.
#include "plugins/library.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "plugins/folder.hpp"

namespace rgm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string failure_to_open(const fs::path& path) {
  return failure_of([&] { PluginFile file(path); });
}
std::string failure_to_load(const fs::path& path) {
  return failure_of([&] { PluginFile(path).load(RGM_ABI_MINOR); });
}

TEST(PluginFile, IsHashedAndLoaded) {
  const Folder folder{"sound"};
  PluginFile file(folder.path() / "sound.so");
  EXPECT_EQ(file.sha256(), sha256(read_file(folder.path() / "sound.so")));
  EXPECT_STREQ(file.load(RGM_ABI_MINOR).name, "sound");
}

TEST(PluginFile, SaysItsComponentsWithoutBeingLoaded) {
  const Folder folder{"sound"};
  const PluginFile file(folder.path() / "sound.so");
  ASSERT_TRUE(file.components());
  EXPECT_THAT(*file.components(),
              testing::ElementsAre(std::pair(RGM_KIND_STRATEGY, "sound"), std::pair(RGM_KIND_ADAPTER, "scaling"),
                                   std::pair(RGM_KIND_REWARD, "rule")));
  EXPECT_TRUE(file.may_have(RGM_KIND_ADAPTER, "scaling"));
  EXPECT_FALSE(file.may_have(RGM_KIND_REWARD, "scaling"));
}

TEST(PluginFile, NoSymbol) {
  const Folder folder{"no_symbol"};
  EXPECT_FALSE(PluginFile(folder.path() / "no_symbol.so").has_entry());
}

TEST(PluginFile, WrongMajor) {
  const Folder folder{"wrong_major"};
  EXPECT_THAT(failure_to_open(folder.path() / "wrong_major.so"),
              AllOf(HasSubstr("wrong_major.so was built for ABI 2"), HasSubstr("this host has ABI 1."),
                    HasSubstr("update the host, or rebuild")));
}

TEST(PluginFile, NeedsNewerHost) {
  const Folder folder{"needs_newer_host"};
  EXPECT_THAT(failure_to_load(folder.path() / "needs_newer_host.so"),
              AllOf(HasSubstr("needs_newer_host.so was built for ABI 1."), HasSubstr("at least 1.999"),
                    HasSubstr("RGM_TARGET_MINOR=")));
}

TEST(PluginFile, BadOptions) {
  const Folder folder{"bad_options"};
  EXPECT_THAT(failure_to_load(folder.path() / "bad_options.so"),
              AllOf(HasSubstr("the default of option \"rank\" of reward \"bad_options\" is 0, its range is 1 to 8")));
}

TEST(PluginFile, LacksHooks) {
  const Folder folder{"lacks_hooks"};
  EXPECT_THAT(failure_to_load(folder.path() / "lacks_hooks.so"), HasSubstr("has neither score nor a learned head"));
}

TEST(PluginFile, WritableByOthers) {
  const Folder folder{"sound"};
  const fs::path path = folder.path() / "sound.so";
  for (const auto mode : {0646, 0664}) {
    fs::permissions(path, fs::perms(mode));
    EXPECT_THAT(failure_to_open(path), AllOf(HasSubstr("may be written by others"), HasSubstr("chmod go-w")));
  }
  fs::permissions(path, fs::perms(0644));
  EXPECT_EQ(failure_to_open(path), "");
}

TEST(PluginFile, InFolderWritableByOthers) {
  const Folder folder{"sound"};
  for (const auto mode : {0777, 01777, 0775}) {
    fs::permissions(folder.path(), fs::perms(mode));
    EXPECT_THAT(failure_to_open(folder.path() / "sound.so"), HasSubstr("its folder may be written by others"));
  }
  fs::permissions(folder.path(), fs::perms(0755));
  EXPECT_EQ(failure_to_open(folder.path() / "sound.so"), "");
}

TEST(PluginFile, LinkedFromFolderWritableByOthers) {
  const Folder open{"sound"}, closed;
  fs::permissions(open.path(), fs::perms(0777));
  fs::create_symlink(open.path() / "sound.so", closed.path() / "sound.so");
  EXPECT_THAT(failure_to_open(closed.path() / "sound.so"), HasSubstr("its folder may be written by others"));
}

TEST(PluginFile, MissingLibrary) {
  const Folder folder{"missing_library"};
  EXPECT_THAT(failure_to_load(folder.path() / "missing_library.so"),
              AllOf(HasSubstr("missing_library.so cannot be loaded: "), HasSubstr("libvendor_library.so"),
                    testing::Not(HasSubstr("/proc/"))));
}

// Mapping a cut-off library and touching its missing pages would kill the program.
TEST(PluginFile, Truncated) {
  const Folder folder{"sound"};
  const fs::path path = folder.path() / "sound.so";
  for (auto size = fs::file_size(path); size > 0; size /= 2) {
    fs::resize_file(path, size - 1);
    EXPECT_THAT(failure_to_open(path), HasSubstr("sound.so cannot be loaded: it is ")) << size;
  }
}

TEST(PluginFile, IsNoLibrary) {
  const Folder folder;
  write_file(folder.path() / "text.so",
             "these are words and not a library, however long the file may be, as it is one");
  EXPECT_THAT(failure_to_open(folder.path() / "text.so"), HasSubstr("not a shared library"));
  EXPECT_THAT(failure_to_open(folder.path() / "none.so"), HasSubstr("No such file"));
  EXPECT_THAT(failure_to_open(folder.path()), HasSubstr("is not a file"));
}

// The loader knows libraries by the descriptor's name; a number given out again must not lead to the first library.
TEST(PluginFile, TwoAreNotTakenForEachOther) {
  const Folder folder{"sound", "same_id_twice_a"};
  const rgm_plugin& a = PluginFile(folder.path() / "sound.so").load(RGM_ABI_MINOR);
  const rgm_plugin& b = PluginFile(folder.path() / "same_id_twice_a.so").load(RGM_ABI_MINOR);
  EXPECT_STREQ(a.name, "sound");
  EXPECT_STREQ(b.name, "twice");
}

TEST(Peek, SurvivesAnyByteChanged) {
  const Folder folder{"same_id_twice_a"};
  std::string bytes = read_file(folder.path() / "same_id_twice_a.so");
  uint64_t state = 1;
  for (int i = 0; i < 3000; ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    // Headers and tables of sections are at the front and at the end.
    const size_t reach = i % 2 ? 4096 : bytes.size();
    const size_t place = (state >> 20) % std::min(reach, bytes.size());
    const char old = bytes[i % 4 == 3 ? bytes.size() - 1 - place : place];
    char& byte = bytes[i % 4 == 3 ? bytes.size() - 1 - place : place];
    byte = static_cast<char>(state >> 40);
    try {
      peek(std::as_bytes(std::span(bytes)));
    } catch (const Error&) {}
    byte = old;
  }
}

}  // namespace
}  // namespace rgm
