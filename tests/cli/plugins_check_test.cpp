// plugins_check_test.cpp - `regimen plugins check FILE.so`: what is sound passes, and each fixture fails at what it is
// named after, a crash of it included.
#include <gmock/gmock.h>

#include "cli/program.hpp"
#include "plugins/folder.hpp"

namespace rgm {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

// Where the fixture is built, which is no folder of plug-ins.
Said check(const std::string& fixture, const std::string& before = "") {
  return regimen("plugins check " + std::string(REGIMEN_FIXTURE_DIRECTORY) + "/plugins/" + fixture + ".so", before);
}
Said check_method(const std::string& method) {
  return regimen("plugins check " + std::string(REGIMEN_BUILD_DIRECTORY) + "/" + method + ".so");
}

TEST(PluginsCheck, ASoundStrategyPasses) {
  const Said said = check_method("lib/regimen/pretrain");
  EXPECT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_THAT(
      said.out,
      AllOf(HasSubstr("symbols    ok       regimen_plugin_v1 alone is exported"), HasSubstr("strategy \"pretrain\""),
            HasSubstr("5 refused with a reason, 0 accepted"), ContainsRegex("gradients +ok +[0-9]+ of 28 parameters"),
            ContainsRegex("run +ok"), ContainsRegex("batches +ok +in 2 micro-batches a step has the same loss"),
            ContainsRegex("capture +ok +steps may be captured: [0-9]+ kernels"), HasSubstr("\nsound: 10 checks\n")));
}

TEST(PluginsCheck, ASoundAdapterPasses) {
  const Said said = check_method("lib/regimen/lora");
  EXPECT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_THAT(said.out, AllOf(HasSubstr("4 of 19 sites of a small model by *.attention.query, *.attention.value"),
                              ContainsRegex("gradients +ok +8 of 8 parameters"),
                              ContainsRegex("capture +ok +steps may be captured with its hooks: [0-9]+ kernels"),
                              HasSubstr("saved and opened again, as PEFT's LORA")));
}

TEST(PluginsCheck, ASoundRewardPasses) {
  const Said said = check_method("lib/regimen/ranking");
  EXPECT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_THAT(said.out, AllOf(ContainsRegex("gradients +ok +2 of 2 parameters"),
                              ContainsRegex("batches +ok +in 2 micro-batches a step has the same loss"),
                              ContainsRegex("run +ok +a pipeline that trains it ran"), HasSubstr("sound: 10 checks")));
}

TEST(PluginsCheck, ASoundBackendPasses) {
  const Said said = check_method("lib/regimen/reference");
  EXPECT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_THAT(said.out,
              AllOf(HasSubstr("parallel_for visits each number once"),
                    ContainsRegex("kernels +ok +[0-9]+ cases match the reference, 0 are composed by the host")));
}

TEST(PluginsCheck, ABackendWithoutItsDeviceIsNotJudged) {
  const Said said = check("unusable_backend");
  EXPECT_EQ(said.status, 0) << said.out;
  EXPECT_THAT(said.out, ContainsRegex("kernels +skipped +it finds no device here: no abacus is connected"));
}

TEST(PluginsCheck, CrashesWhenLoaded) {
  const Said said = check("crashes_when_loaded");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, AllOf(HasSubstr("crashes_when_loaded.so"),
                              HasSubstr("FAILED   crashed: signal 11 in loading it"), HasSubstr("checks failed")));
}

TEST(PluginsCheck, DiesInScore) {
  const Said said = check("dies_in_score");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("answers    FAILED   crashed: signal 6 in score of an empty answer"));
}

TEST(PluginsCheck, WrongGradient) {
  const Said said = check("wrong_gradient");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, ContainsRegex("gradients +FAILED +the gradient of .* has the slope"));
  EXPECT_THAT(said.out, ContainsRegex("1 of 10 checks failed"));
}

TEST(PluginsCheck, WrongMerge) {
  const Said said = check("wrong_merge");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, ContainsRegex("merge +FAILED +merged, the model has the loss [0-9.]+, and [0-9.]+ with the "
                                      "adapter beside it"));
  EXPECT_THAT(said.out,
              ContainsRegex(
                  "options +ok +2 other choices of options tried, refused: with shape: column: .*columns are to come"));
}

TEST(PluginsCheck, UnseenFaults) {
  const Said said = check("unseen_faults");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(
      said.out,
      AllOf(ContainsRegex(
                "gradients +FAILED +forgets\\..*\\.forgotten gets no gradient, but differences of the loss give"),
            ContainsRegex("merge +FAILED .*merge failed: no way back"),
            HasSubstr("merge returned the weight (256) at layers.0.attention.query, (16, 16) was expected"),
            ContainsRegex("options +FAILED +with broken: true: the loss is -?nan")));
  EXPECT_THAT(said.out, AllOf(ContainsRegex("run +FAILED .*evaluate failed: no such measure"),
                              ContainsRegex("options +FAILED +with kind: new: .*loss failed: not written yet"),
                              ContainsRegex("run +FAILED .*loss failed: no such rank")));
}

// Its made-up data must be what shipped methods read: this one knows 1, 0 and -1. What it estimates of a micro-batch is
// 0 at the start.
TEST(PluginsCheck, IntegersAreAnswersOfYesOrNo) {
  const Said said = check_method("lib/regimen/kto");
  EXPECT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_THAT(said.out, ContainsRegex("batches +ok +in 2 micro-batches a step has the same loss"));
}

// Where a method asks a person, nobody waits.
TEST(PluginsCheck, NobodyIsAsked) {
  const Said said = check_method("lib/regimen/rank");
  EXPECT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_THAT(said.out, ContainsRegex("options +ok +2 other choices of options tried"));
}

TEST(PluginsCheck, BrokenPromise) {
  const Said said = check("broken_promise");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out,
              ContainsRegex(
                  "capture +FAILED +it promises that its steps may be captured, but with other values of the same "
                  "shapes kernel [0-9]+ is \"fill 3 \\(\\)\" where it was \"fill 2 \\(\\)\": leave out `capturable`"));
}

TEST(PluginsCheck, HiddenReads) {
  const Said said = check("hidden_reads");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, AllOf(ContainsRegex("capture +FAILED +it promises that its steps may be captured, but its loss "
                                            "reads values"),
                              ContainsRegex("capture +FAILED +its output reads values: a step that was captured is run "
                                            "again without its hooks"),
                              HasSubstr("\n2 of 17 checks failed\n")));
}

// A step has four rows: of two micro-batches the means add up to about twice the mean.
TEST(PluginsCheck, OwnMean) {
  const Said said = check("own_mean");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, AllOf(ContainsRegex("batches +FAILED +the loss of a step is [0-9.]+ in one micro-batch and "
                                            "[0-9.]+ in 2: .*so divide by train.total\\(COLUMN\\)"),
                              HasSubstr("\n1 of 10 checks failed\n")));
}

// Two answers to each of four prompts, two at a time.
TEST(PluginsCheck, AnswersThatAreDrawnAreSplitToo) {
  const Said said = check_method("lib/regimen/rloo");
  EXPECT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_THAT(said.out, ContainsRegex("batches +ok +in 4 micro-batches a step has the same loss"));
}

TEST(PluginsCheck, ATeacherIsAnotherModel) {
  const Said said = check("only_teacher");
  EXPECT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_THAT(said.out, ContainsRegex("gradients +ok"));
  EXPECT_THAT(said.err, testing::Not(HasSubstr("the gradient is exactly zero")));
}

TEST(PluginsCheck, ATeacherThatFollowsThePolicyMoves) {
  const Said said = check_method("lib/regimen-fixtures/mean_teacher");
  EXPECT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_THAT(said.out, HasSubstr("after_step ok       after 2 steps, \"teacher\" moved towards the policy; where "
                                  "follow is refused it says so"));
}

TEST(PluginsCheck, FaultsAfterAStep) {
  const Said said = check("faults_after_step");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, AllOf(ContainsRegex("after_step +FAILED +after_step of step 3, where follow is refused: follow "
                                            "was refused, and it says that all is well"),
                              ContainsRegex("after_step +FAILED +[0-9]+ bytes of tensors are left of 2 calls"),
                              ContainsRegex("after_step +FAILED +failed in after_step of step 2: .*after_step failed: "
                                            "no second step"),
                              HasSubstr("after_step FAILED   its plan says that a role follows the policy, but "
                                        "without after_step none moves")));
}

// One choice that ends the process hides none of the others, and each failure names the function. No folder is left.
TEST(PluginsCheck, Picky) {
  const Folder temporary;
  const Said said = check("picky", "TMPDIR=" + quoted(temporary.path()));
  EXPECT_EQ(said.status, 1);
  EXPECT_TRUE(fs::is_empty(temporary.path()));
  EXPECT_THAT(said.out,
              AllOf(HasSubstr("options    FAILED   with at: create: create failed: threw in create\n"),
                    HasSubstr("options    FAILED   with at: plan: plan failed: threw in plan\n"),
                    ContainsRegex("options +FAILED +with at: prepare: .*prepare failed: threw in prepare"),
                    ContainsRegex("options +FAILED +with at: cancel: .*picky.so.: prepare failed: had enough"),
                    testing::Not(HasSubstr("with at: read")),
                    HasSubstr("options    FAILED   crashed: signal 6 in a trial with at: abort"),
                    ContainsRegex("options +FAILED +with at: loss: .*loss failed: threw in loss")));
  EXPECT_THAT(said.out,
              AllOf(ContainsRegex("with at: attach: .*picky.so.: attach at layers.0.attention.query failed: threw in"),
                    ContainsRegex("with at: output: .*output at layers.0.attention.query failed: threw in")));
}

TEST(PluginsCheck, ThrowsInCreate) {
  const Said said = check("throws_in_create");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("create     FAILED   failed in create: no such table"));
}

TEST(PluginsCheck, ThrowsInLoss) {
  const Said said = check("throws_in_loss");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, AllOf(HasSubstr("nonsense   ok       5 calls with nonsense: 5 refused"),
                              HasSubstr("gradients  FAILED   failed in loss: no such row"),
                              ContainsRegex("run +FAILED .*loss failed: no such row")));
}

TEST(PluginsCheck, WrongShapes) {
  const Said said = check("wrong_shapes");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, AllOf(HasSubstr("loss returned the shape (3), one number was expected"),
                              HasSubstr("its hook output returned the shape (16) at layers.0.mlp, (2, 8, 16) was")));
}

TEST(PluginsCheck, WhatCannotBeLoadedIsSaid) {
  EXPECT_THAT(check("no_symbol").out, HasSubstr("does not export regimen_plugin_v1, so it is not a plug-in"));
  EXPECT_THAT(check("wrong_major").out, HasSubstr("was built for ABI 2, this host has ABI 1."));
  EXPECT_THAT(check("needs_newer_host").out, HasSubstr("needs a host with at least 1.999"));
  EXPECT_THAT(check("bad_options").out, HasSubstr("is 0, its range is 1 to 8"));
  EXPECT_THAT(check("lacks_hooks").out, HasSubstr("has neither score nor a learned head"));
  EXPECT_THAT(check("missing_library").out, HasSubstr("cannot be loaded: libvendor_library.so"));
  EXPECT_THAT(check("undefined_symbol").out, HasSubstr("undefined symbol: only_some_program_has_it"));
  EXPECT_THAT(check("undefined_symbol").out,
              ContainsRegex("symbols +FAILED +[0-9]+ symbols besides regimen_plugin_v1 are exported, such as "));
  for (const char* fixture : {"no_symbol", "wrong_major", "bad_options", "missing_library", "undefined_symbol"})
    EXPECT_EQ(check(fixture).status, 1);
}

TEST(PluginsCheck, TruncatedFileAndWritableByOthers) {
  const Folder folder{"sound"};
  const fs::path file = folder.path() / "sound.so";
  fs::permissions(file, fs::perms(0666));
  const Said writable = regimen("plugins check " + quoted(file));
  EXPECT_EQ(writable.status, 1);
  EXPECT_THAT(writable.out, HasSubstr("chmod go-w " + file.string()));
  fs::permissions(file, fs::perms(0644));
  fs::resize_file(file, fs::file_size(file) / 2);
  const Said truncated = regimen("plugins check " + quoted(file));
  EXPECT_EQ(truncated.status, 1);
  EXPECT_THAT(truncated.out, HasSubstr("it is cut off"));
}

TEST(PluginsCheck, AFileThatIsNotThereIsBadInput) {
  const Said said = regimen("plugins check /nowhere/none.so");
  EXPECT_EQ(said.status, 2);
  EXPECT_EQ(said.out, "");
  EXPECT_EQ(said.err, "/nowhere/none.so: there is no such file; build the plug-in first\n");
  EXPECT_EQ(regimen("plugins check").status, 2);
}

}  // namespace
}  // namespace rgm
