// broken_plugins_test.cpp - a pipeline that names a plug-in that is broken in one way: the program says which file,
// what is wrong and what to do, and ends with 2 where that can be done by whoever runs it.
#include <gmock/gmock.h>

#include "cli/tiny_run.hpp"
#include "plugins/folder.hpp"

namespace rgm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class BrokenPlugin : public TinyRun {
 protected:
  // Runs a tiny pipeline that names these files and has `stage` in its stage.
  Said run(const std::string& files, const std::string& stage, const std::string& command = "run") {
    std::string pipeline = tiny(2);
    pipeline.replace(pipeline.find("stages:"), 7, "plugins: " + files + "\nstages:");
    pipeline.replace(pipeline.find("    strategy: pretrain\n"), 23, "    " + stage + "\n");
    write("p.yaml", pipeline);
    return regimen(command + " p.yaml");
  }
  std::string add(const std::string& fixture) const { return plugins_.add(fixture).string(); }
  std::string path(const std::string& file) const { return (plugins_.path() / file).string(); }

  const Folder plugins_;
};

TEST_F(BrokenPlugin, NoSymbol) {
  const Said said = run(add("no_symbol"), "strategy: pretrain");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, AllOf(HasSubstr(path("no_symbol.so")), HasSubstr("it does not export regimen_plugin_v1"),
                              HasSubstr("name a library made with regimen_add_plugin")));
}

TEST_F(BrokenPlugin, WrongMajor) {
  const Said said = run(add("wrong_major"), "strategy: pretrain");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, AllOf(HasSubstr(path("wrong_major.so") + " was built for ABI 2, this host has ABI 1."),
                              HasSubstr("update the host, or rebuild")));
}

TEST_F(BrokenPlugin, NeedsNewerHost) {
  const Said said = run(add("needs_newer_host"), "strategy: pretrain\n    reward: twice");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, AllOf(HasSubstr(path("needs_newer_host.so")), HasSubstr("needs a host with at least 1.999"),
                              HasSubstr("this host has 1."), HasSubstr("RGM_TARGET_MINOR=")));
}

TEST_F(BrokenPlugin, ThrowsInCreate) {
  const Said said = run(add("throws_in_create"), "strategy: throws_in_create");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, AllOf(HasSubstr("strategy \"throws_in_create\" (" + path("throws_in_create.so") + ")"),
                              HasSubstr("create threw \"no such table\""), HasSubstr("where only a status is allowed"),
                              HasSubstr("its author has to correct it")));
  EXPECT_EQ(json("runs/tiny/base/stage.json")["status"], "failed");
  const Said checked = run(path("throws_in_create.so"), "strategy: throws_in_create", "check");
  EXPECT_EQ(checked.status, 2);
  EXPECT_THAT(checked.err, HasSubstr("p.yaml:8:5: stage \"base\": strategy \"throws_in_create\" (" +
                                     path("throws_in_create.so") + "): create threw \"no such table\""));
}

TEST_F(BrokenPlugin, ThrowsInLoss) {
  const Said said = run(add("throws_in_loss"), "strategy: throws_in_loss");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, AllOf(HasSubstr("strategy \"throws_in_loss\" (" + path("throws_in_loss.so") + ")"),
                              HasSubstr("loss failed: no such row"), HasSubstr("update it, or leave it out")));
  EXPECT_EQ(json("runs/tiny/base/stage.json")["status"], "failed");
}

TEST_F(BrokenPlugin, EndsTheProgram) {
  const Said said = run(add("ends_in_loss"), "strategy: ends_in_loss");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, AllOf(HasSubstr("regimen was ended by exit()"),
                              HasSubstr("It was in strategy \"ends_in_loss\" (" + path("ends_in_loss.so") + "): loss"),
                              HasSubstr("the same command continues from there")));
}

#ifndef REGIMEN_SANITIZED  // which tell of crashes in their own way
TEST_F(BrokenPlugin, CrashesInLoss) {
  const Said said = run(add("ends_in_loss"), "strategy: {ends_in_loss: {crashes: true}}");
  EXPECT_NE(said.status, 0);
  EXPECT_THAT(said.err,
              AllOf(HasSubstr("regimen crashed (segmentation fault)"),
                    HasSubstr("It was in strategy \"ends_in_loss\" (" + path("ends_in_loss.so") + "): loss")));
}
#endif

TEST_F(BrokenPlugin, WrongShapes) {
  const Said loss = run(add("wrong_shapes"), "strategy: wrong_shapes");
  EXPECT_EQ(loss.status, 2);
  EXPECT_THAT(loss.err, AllOf(HasSubstr("strategy \"wrong_shapes\" (" + path("wrong_shapes.so") + ")"),
                              HasSubstr("loss returned the shape (3), one number was expected")));
  const Said output = run(path("wrong_shapes.so"), "strategy: pretrain\n    adapter: wrong_shapes");
  EXPECT_EQ(output.status, 2);
  EXPECT_THAT(output.err, AllOf(HasSubstr("adapter \"wrong_shapes\" (" + path("wrong_shapes.so") + ")"),
                                HasSubstr("its hook output returned the shape (32) at layers.0.mlp, (4, 16, 32) was")));
}

TEST_F(BrokenPlugin, BadOptions) {
  const Said said = run(add("bad_options"), "strategy: pretrain\n    reward: bad_options", "check");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, AllOf(HasSubstr(path("bad_options.so")),
                              HasSubstr("the default of option \"rank\" of reward \"bad_options\" is 0, its range is 1 "
                                        "to 8; its author has to correct it")));
}

TEST_F(BrokenPlugin, TruncatedFile) {
  const fs::path file = plugins_.add("sound", "truncated_file");
  fs::resize_file(file, fs::file_size(file) / 2);
  const Said said = run(file.string(), "strategy: sound");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, AllOf(HasSubstr(path("truncated_file.so") + " cannot be loaded: it is cut off"),
                              HasSubstr("build or copy it again")));
}

TEST_F(BrokenPlugin, WritableByOthers) {
  fs::permissions(plugins_.add("sound", "writable_by_others"), fs::perms(0666));
  const Said said = run(path("writable_by_others.so"), "strategy: sound");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err,
              AllOf(HasSubstr(path("writable_by_others.so") + " is refused: it may be written by others (mode 666)"),
                    HasSubstr("chmod go-w " + path("writable_by_others.so"))));
}

TEST_F(BrokenPlugin, SameIdTwice) {
  const std::string files = "[" + add("same_id_twice_a") + ", " + add("same_id_twice_b") + "]";
  const Said both = run(files, "strategy: pretrain\n    reward: twice", "check");
  EXPECT_EQ(both.status, 2);
  EXPECT_THAT(both.err, AllOf(HasSubstr("reward \"twice\" is in " + path("same_id_twice_a.so") + " and in " +
                                        path("same_id_twice_b.so") + ": remove one of them")));
}

TEST_F(BrokenPlugin, MissingLibrary) {
  const Said said = run(add("missing_library"), "strategy: pretrain\n    reward: twice");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, AllOf(HasSubstr(path("missing_library.so") + " cannot be loaded: libvendor_library.so"),
                              HasSubstr("install what is missing")));
}

}  // namespace
}  // namespace rgm
