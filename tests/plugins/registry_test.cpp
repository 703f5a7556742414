// registry_test.cpp - where components are searched, in what order, and what a name that is not known is answered.
#include "plugins/registry.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <cstdio>
#include <fstream>

#include "plugins/folder.hpp"

namespace rgm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct PluginPath {  // $REGIMEN_PLUGIN_PATH while it lives
  explicit PluginPath(const std::string& value) { ::setenv("REGIMEN_PLUGIN_PATH", value.c_str(), 1); }
  ~PluginPath() { ::unsetenv("REGIMEN_PLUGIN_PATH"); }
};

std::string maps() {
  std::ifstream in("/proc/self/maps");
  return {std::istreambuf_iterator<char>(in), {}};
}

const Entry& entry(const std::vector<Entry>& list, const std::string& id, const fs::path& folder) {
  for (const Entry& e : list)
    if (e.path.parent_path() == folder && (e.id == id || (e.id.empty() && e.path.stem() == id))) return e;
  throw std::runtime_error("no entry " + id);
}

TEST(Registry, FindsByFileNameAndByContent) {
  const Folder folder{"sound"};
  const PluginPath path(folder.path());
  Registry registry;
  const Component& strategy = registry.find(RGM_KIND_STRATEGY, "sound");
  EXPECT_STREQ(strategy.data->version, "1.2.3");
  EXPECT_EQ(strategy.path, folder.path() / "sound.so");
  EXPECT_STREQ(registry.find(RGM_KIND_ADAPTER, "scaling").data->summary, "An adapter");
  EXPECT_EQ(&registry.find(RGM_KIND_STRATEGY, "sound"), &strategy);
  EXPECT_EQ(registry.loaded().size(), 2u);
}

TEST(Registry, LoadsOnlyWhatIsNamed) {
  const Folder folder{"sound", "no_symbol", "bad_options", "same_id_twice_a"};
  const PluginPath path(folder.path());
  Registry registry;
  registry.find(RGM_KIND_REWARD, "twice");
  EXPECT_THAT(maps(), AllOf(HasSubstr(folder.path() / "same_id_twice_a.so"),
                            testing::Not(HasSubstr(folder.path() / "sound.so")),
                            testing::Not(HasSubstr(folder.path() / "no_symbol.so"))));
}

// Without descriptors the folder only seems to be empty.
TEST(RegistryDeathTest, AFolderThatCannotBeListedIsTold) {
#ifdef REGIMEN_SANITIZED
  GTEST_SKIP() << "a sanitizer needs descriptors of its own to look at an object";
#endif
  const auto lists = [] {
    Registry registry;
    const rlimit none{3, 3};
    ::setrlimit(RLIMIT_NOFILE, &none);
    std::fprintf(stderr, "%s\n", failure_of([&] { registry.ids(RGM_KIND_REWARD); }).c_str());
    ::_exit(1);
  };
  EXPECT_EXIT(lists(), testing::ExitedWithCode(1), "the plug-ins in it cannot be listed: Too many open files");
}

TEST(Registry, InitialisesOnceAndShutsDown) {
  const Folder folder{"sound"};
  const PluginPath path(folder.path());
  Registry registry;
  const Component& c = registry.find(RGM_KIND_STRATEGY, "sound");
  registry.find(RGM_KIND_ADAPTER, "scaling");
  const auto* calls = static_cast<const int*>(c.plugin->extension("calls/1"));
  EXPECT_EQ(calls[0], 1);
  EXPECT_EQ(calls[1], 0);
  registry.shutdown();
  registry.shutdown();
  EXPECT_EQ(calls[1], 1);
}

TEST(Registry, SuggestsANearName) {
  const Folder folder{"sound"};
  const PluginPath path(folder.path());
  Registry registry;
  EXPECT_THAT(failure_of([&] { registry.find(RGM_KIND_ADAPTER, "sclaing"); }),
              AllOf(HasSubstr("adapter \"sclaing\" is not known; did you mean \"scaling\"? (looked in "),
                    HasSubstr(folder.path())));
}

TEST(Registry, FirstFolderWins) {
  const Folder first{"same_id_twice_b"}, second{"same_id_twice_a"};
  const PluginPath path(first.path().string() + ":" + second.path().string());
  Registry registry;
  EXPECT_EQ(registry.find(RGM_KIND_REWARD, "twice").path, first.path() / "same_id_twice_b.so");
  EXPECT_THAT(entry(registry.list(), "twice", second.path()).reason, HasSubstr("comes first"));
}

TEST(Registry, SameIdTwiceInOneFolder) {
  const Folder folder{"same_id_twice_a", "same_id_twice_b"};
  const PluginPath path(folder.path());
  Registry registry;
  EXPECT_THAT(failure_of([&] { registry.find(RGM_KIND_REWARD, "twice"); }),
              AllOf(HasSubstr("same_id_twice_a.so"), HasSubstr("same_id_twice_b.so"), HasSubstr("remove one")));
  for (const Entry& e : registry.list())
    if (e.id == "twice") {
      EXPECT_FALSE(e.usable);
      EXPECT_THAT(e.reason, HasSubstr("has the same id"));
    }
}

TEST(Registry, ABackendThatDoesNotStartIsListedWithItsReason) {
  const Folder folder{"refuses_to_start"};
  const PluginPath path(folder.path());
  const Entry told = entry(Registry{}.list(), "abacus", folder.path());
  EXPECT_EQ(told.id, "abacus");
  EXPECT_FALSE(told.usable);
  EXPECT_EQ(told.reason,
            (folder.path() / "refuses_to_start.so").string() + " could not start: the abacus lost its beads");
}

TEST(Registry, ABackendThatDoesNotStartIsNamedBesideAnotherOfItsId) {
  const Folder folder{"refuses_to_start", "unusable_backend"};
  const PluginPath path(folder.path());
  std::vector<std::string> reasons;
  for (const Entry& e : Registry{}.list())
    if (e.id == "abacus") reasons.push_back(e.reason);
  EXPECT_THAT(reasons, testing::ElementsAre(HasSubstr("unusable_backend.so has the same id: remove one of them"),
                                            HasSubstr("refuses_to_start.so has the same id: remove one of them")));
}

TEST(Registry, ListsWhatCannotBeUsedAndWhy) {
  const Folder folder{"sound", "no_symbol", "wrong_major", "bad_options", "unusable_backend", "missing_library"};
  const PluginPath path(folder.path());
  Registry registry;
  const std::vector<Entry> list = registry.list();
  EXPECT_TRUE(entry(list, "sound", folder.path()).usable);
  EXPECT_EQ(entry(list, "sound", folder.path()).sha256.size(), 64u);
  EXPECT_FALSE(entry(list, "abacus", folder.path()).usable);
  EXPECT_EQ(entry(list, "abacus", folder.path()).reason, "no abacus is connected");
  EXPECT_THAT(entry(list, "no_symbol", folder.path()).reason, HasSubstr("not a plug-in"));
  EXPECT_THAT(entry(list, "wrong_major", folder.path()).reason, HasSubstr("ABI 2"));
  EXPECT_THAT(entry(list, "bad_options", folder.path()).reason, HasSubstr("its range is 1 to 8"));
  EXPECT_THAT(entry(list, "missing_library", folder.path()).reason, HasSubstr("libvendor_library.so"));
}

TEST(Registry, ABackendThatThrowsWhereItsDevicesAreCountedIsNotUsable) {
  const Folder folder{"sound", "throws_in_device_count"};
  const PluginPath path(folder.path());
  Registry registry;
  const std::vector<Entry> list = registry.list();
  EXPECT_FALSE(entry(list, "slide_rule", folder.path()).usable);
  EXPECT_THAT(entry(list, "slide_rule", folder.path()).reason, HasSubstr("device_count threw an exception"));
  EXPECT_TRUE(entry(list, "sound", folder.path()).usable);
}

TEST(Registry, AFileThatIsNamedMustBeAPlugin) {
  const Folder folder{"sound", "no_symbol"};
  Registry registry;
  EXPECT_THAT(failure_of([&] { registry.add(folder.path() / "no_symbol.so"); }), HasSubstr("regimen_plugin_v1"));
  registry.add(folder.path() / "sound.so");
  EXPECT_EQ(registry.find(RGM_KIND_STRATEGY, "sound").path, folder.path() / "sound.so");
}

TEST(Registry, PinsAHash) {
  const Folder folder{"sound"};
  const fs::path file = folder.path() / "sound.so";
  Registry registry;
  EXPECT_THAT(failure_of([&] { registry.add(file, std::string(64, '0')); }), HasSubstr("the pipeline wants 0000"));
  registry.add(file, PluginFile(file).sha256());
}

TEST(Registry, SaysWhyTheFileOfThatNameIsRefused) {
  const Folder folder{"sound"};
  fs::permissions(folder.path() / "sound.so", fs::perms(0666));
  const PluginPath path(folder.path());
  Registry registry;
  EXPECT_THAT(failure_of([&] { registry.find(RGM_KIND_STRATEGY, "sound"); }),
              AllOf(HasSubstr("strategy \"sound\" is not available"), HasSubstr("chmod go-w")));
}

}  // namespace
}  // namespace rgm
