// faults_test.cpp - what a night's training meets: full disks, too little memory, folders that cannot be written. The
// state before stays good, and the message says where and how much. Kills are in kills_test.cpp.
#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <regex>
#include <thread>

#include "base/json.hpp"
#include "base/memory.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class Faults : public TinyRun {
 protected:
  static constexpr const char* model = "/base/model/model.safetensors";

  // Sends `signal` once `holds`; false when the process ended before.
  template <class Condition>
  static bool signal_when(pid_t child, int signal, const Condition& holds) {
    while (!holds()) {
      siginfo_t info{};
      ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT);
      if (info.si_pid == child) return false;
      std::this_thread::sleep_for(1ms);
    }
    return ::kill(child, signal) == 0;
  }
  static int end_of(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  template <class Condition>
  bool kill_when(const std::string& out, const Condition& holds) const {
    const pid_t child = start(out);
    signal_when(child, SIGKILL, holds);
    return end_of(child) == 128 + SIGKILL;
  }
  // On the test's device, whose memory and life are told by `limits`.
  Said scarce(const std::string& arguments, const std::string& limits) const {
    return rgm::regimen(
        arguments, in_folder() + limits + " REGIMEN_PLUGIN_PATH=" + REGIMEN_BUILD_DIRECTORY "/lib/regimen-fixtures");
  }
  bool was_said(const std::string& text) const {
    return fs::exists(folder_ / "err.log") && read_file(folder_ / "err.log").find(text) != std::string::npos;
  }
};

TEST_F(Faults, AFileSizeLimitIsToldAndTheCheckpointBeforeStands) {
  write("p.yaml", tiny(300, "    checkpoint: {every: 150}\n"));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  // The weights take 107 kB, with the optimizer's moments three times that: neither fits into 64 blocks.
  const std::string limit = in_folder() + "ulimit -f 64 &&";
  const Said said = rgm::regimen("run p.yaml --out out", limit);
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("out/base/checkpoint/"));
  EXPECT_THAT(said.err, HasSubstr("File too large"));
  EXPECT_THAT(said.err, testing::ContainsRegex("[0-9]+ more bytes are needed"));
  // With a checkpoint from before, the same limit leaves it as it was.
  ASSERT_TRUE(kill_when("out", [&] { return fs::exists(folder_ / "out/base/checkpoint/step-150"); }));
  const std::string before = hash_of("out/base/checkpoint/step-150/tensors.safetensors");
  EXPECT_EQ(rgm::regimen("run p.yaml --out out", limit).status, 1);
  EXPECT_EQ(hash_of("out/base/checkpoint/step-150/tensors.safetensors"), before);
  const Said again = regimen("run p.yaml --out out");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("resumed at step 150"));
  EXPECT_EQ(hash_of("out" + std::string(model)), hash_of("whole" + std::string(model)));
}

// out/ is a file system of its own, which only root may make. What is left in it is copied to kept/.
class SmallDisk : public Faults {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "out");
    const std::string try_it = mounted("size=100k", "") + " true 2>/dev/null";
    if (::system(try_it.c_str()) != 0) GTEST_SKIP() << "a file system can only be mounted by root";
    fs::remove_all(folder_ / "kept");
  }
  std::string mounted(const std::string& options, const std::string& before) const {
    return in_folder() + "unshare -m sh -c 'mount -t tmpfs -o " + options + " none out && " + before +
           " \"$@\"; status=$?; cp -r out kept; exit $status' sh";
  }
};

// A checkpoint takes some 330 kB and the weights 107 kB: there is room for one checkpoint and no second.
TEST_F(SmallDisk, AFullDiskIsToldAndTheCheckpointBeforeStands) {
  write("p.yaml", tiny(300, "    checkpoint: {every: 150}\n"));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  const Said said = rgm::regimen("run p.yaml --out out", mounted("size=400k", ""));
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("No space left on device"));
  EXPECT_THAT(said.err, testing::ContainsRegex("out/base/.*[0-9]+ more bytes are needed"));
  ASSERT_TRUE(fs::exists(folder_ / "kept/base/checkpoint/step-150/state.json")) << said.err;
  EXPECT_FALSE(fs::exists(folder_ / "kept/base/model"));
  const Said again = regimen("run p.yaml --out kept");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("resumed at step 150"));
  EXPECT_EQ(hash_of("kept" + std::string(model)), hash_of("whole" + std::string(model)));
}

TEST_F(SmallDisk, AFolderThatIsReadOnlyIsNamed) {
  write("p.yaml", tiny(3));
  const Said said = rgm::regimen("run p.yaml --out out", mounted("size=400k", "mount -o remount,ro out && "));
  EXPECT_NE(said.status, 0);
  EXPECT_THAT(said.err, HasSubstr("out/"));
  EXPECT_THAT(said.err, HasSubstr("Read-only file system"));
}

TEST_F(Faults, ASecondCtrlCEndsAtOnce) {
  write("p.yaml", tiny(9, "    micro_batch: 8\n"));  // steps of some seconds: the first Ctrl-C waits for the end of one
  write_file(folder_ / "p.yaml",
             std::regex_replace(read_file(folder_ / "p.yaml"), std::regex("batch: 4\n"), "batch: 16384\n"));
  const pid_t child = start("out");
  ASSERT_TRUE(signal_when(child, SIGINT, [&] { return was_said("stage base: pretrain"); }));
  const auto first = std::chrono::steady_clock::now();
  // One that comes sooner is taken for the same.
  ASSERT_TRUE(signal_when(child, SIGINT, [&] { return std::chrono::steady_clock::now() - first > 200ms; }));
  EXPECT_EQ(end_of(child), 130);
  EXPECT_FALSE(fs::exists(folder_ / "out/base/checkpoint/step-1"));
}

// `timeout` signals the program and then its group: the step is finished and kept all the same.
TEST_F(Faults, ASignalThatComesTwiceAtOnceIsOne) {
  write("p.yaml", tiny(1000000));
  const pid_t child = start("out");
  ASSERT_TRUE(signal_when(child, SIGTERM, [&] { return was_said("base: step "); }));
  ::kill(child, SIGTERM);
  EXPECT_EQ(end_of(child), 130);
  EXPECT_TRUE(was_said("checkpoint written")) << read_file(folder_ / "err.log");
  EXPECT_TRUE(was_said("stopping: finishing this step and writing a checkpoint"));
}

// What is kept of the data: other ids would be learned from without a word.
TEST_F(Faults, DamageInTheCacheIsSeenAndMadeAgain) {
  write("p.yaml", tiny(3));
  ASSERT_EQ(regimen("run p.yaml --out out").status, 0);
  const std::string weights = hash_of("out" + std::string(model));
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "out/cache")) {
    const bool is_tokens = entry.path().extension() == ".tokens";
    if (!is_tokens && entry.path().filename() != "tokenizer.json") continue;
    std::string content = read_file(entry.path());
    content[is_tokens ? 100 : content.find("\"vocab\"") + 20] ^= 1;
    write_file(entry.path(), content);
  }
  const Said again = regimen("run p.yaml --out out --force");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, testing::ContainsRegex("out/cache/[0-9a-f]+.tokens is damaged and is made again"));
  EXPECT_THAT(again.err, testing::ContainsRegex("out/cache/tokenizer-[0-9a-f]+ is damaged and is made again"));
  EXPECT_EQ(hash_of("out" + std::string(model)), weights);
  EXPECT_THAT(regimen("run p.yaml --out out --force").err, Not(HasSubstr("damaged")));
}

TEST_F(Faults, AFolderThatGoesDuringTheRunIsAFailure) {
  write("p.yaml", tiny(100000, "    checkpoint: {every: 1}\n"));
  const pid_t child = start("out");
  ASSERT_TRUE(signal_when(child, 0, [&] { return fs::exists(folder_ / "out/base/checkpoint/step-1/state.json"); }));
  fs::rename(folder_ / "out", folder_ / "gone");
  EXPECT_NE(end_of(child), 0);
  // It may also be met in the middle of writing one.
  EXPECT_TRUE(was_said("/out: was removed or replaced during the run") || was_said("out/base/checkpoint"))
      << read_file(folder_ / "err.log");
}

TEST_F(Faults, AFolderThatAnotherTookThePlaceOfGetsNoRecordAndNoReport) {
  write("p.yaml", tiny(100000, "    checkpoint: {every: 1}\n"));
  fs::create_directories(folder_ / "other/base");
  const pid_t child = start("out");
  ASSERT_TRUE(signal_when(child, 0, [&] { return fs::exists(folder_ / "out/base/checkpoint/step-1/state.json"); }));
  fs::rename(folder_ / "out", folder_ / "gone");
  fs::rename(folder_ / "other", folder_ / "out");
  EXPECT_NE(end_of(child), 0);
  EXPECT_FALSE(fs::exists(folder_ / "out/base/stage.json"));
  EXPECT_FALSE(fs::exists(folder_ / "out/report.html"));
}

TEST_F(Faults, WithoutATemporaryFolderTmpdirIsNamedAndNoPlugInIsBlamed) {
  write("p.yaml", tiny(3));
  const std::string plug_in = REGIMEN_BUILD_DIRECTORY "/lib/regimen/pretrain.so";
  for (const std::string& arguments : {std::string("check p.yaml"), "plugins check " + plug_in}) {
    const Said said = rgm::regimen(arguments, in_folder() + "TMPDIR=nowhere");
    EXPECT_EQ(said.status, 2) << arguments;
    EXPECT_THAT(said.err,
                HasSubstr("nowhere: a folder cannot be created there: No such file or directory; set TMPDIR"));
    EXPECT_THAT(said.out, Not(HasSubstr("FAILED")));
  }
}

TEST_F(Faults, AFileInThePlaceOfTheCacheIsTheUsersMistake) {
  write("p.yaml", tiny(3));
  fs::create_directories(folder_ / "out");
  write("out/cache", "a file");
  const Said said = regimen("run p.yaml --out out");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("out/cache"));
  EXPECT_THAT(said.err, Not(HasSubstr("filesystem error")));
}

// The first update sends every weight to 1e36, the second step's products overflow, and steps 3 to 9 change nothing.
TEST_F(Faults, TheStepThatWasNotFiniteIsNamedThoughTheLossIsReadLater) {
  write("p.yaml", tiny(9, "    log: {every: 9}\n    optimizer: {adamw: {learning_rate: 1e36}}\n    clip: 0\n"));
  const Said said = regimen("run p.yaml --out out");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("base: at step 2 the loss or its gradient is not finite, first seen in "));
  EXPECT_THAT(said.err, HasSubstr(" of layers.0.attention."));
}

TEST_F(Faults, ALossThatIsNotFiniteStopsAndTheCheckpointBeforeIsKept) {
  write("p.yaml",
        tiny(9, "    checkpoint: {every: 1}\n    log: {every: 1}\n    optimizer: {adamw: {learning_rate: 1e30}}\n"));
  const Said said = regimen("run p.yaml --out out");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("base: at step 2 the loss is not finite"));
  EXPECT_THAT(said.err, HasSubstr("The last checkpoint is kept in out/base/checkpoint"));
  EXPECT_TRUE(fs::exists(folder_ / "out/base/checkpoint/step-1/state.json"));
  EXPECT_EQ(json("out/base/stage.json")["status"], "failed");
}

// 64 layers of 256 channels keep over a megabyte of a token, 200,000 rows of 16 tokens some terabytes.
TEST_F(Faults, AStageThatCannotFitIsToldBeforeItsFirstStepWithWhatMakesItFit) {
  write("p.yaml", tiny(3));
  const std::string large = " --set stages.base.model.layers=64 --set stages.base.model.channels=256";
  const Said said = regimen("run p.yaml --out out --set stages.base.batch=200000" + large);
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, testing::ContainsRegex("stage base needs about [0-9.]+ TB of memory, and [0-9.]+ GB is free"));
  EXPECT_FALSE(fs::exists(folder_ / "out/base/metrics.jsonl"));
  std::smatch advised;
  ASSERT_TRUE(std::regex_search(said.err, advised, std::regex("--set (stages.base.micro_batch=[0-9]+)"))) << said.err;
  const Said plan = regimen("plan p.yaml --json --set stages.base.batch=200000 --set " + advised[1].str() + large);
  ASSERT_EQ(plan.status, 0) << plan.err;
  const auto needed = parse_json(plan.out)[0]["peak_memory_bytes"].get<uint64_t>();
  EXPECT_LE(needed, free_memory());
  EXPECT_GE(needed, free_memory() / 4) << "far fewer rows than would fit";
}

TEST_F(Faults, WithTooLittleMemoryForOneRowItSaysWhatElseHelps) {
#ifdef REGIMEN_SANITIZED
  GTEST_SKIP() << "the sanitizer reserves more addresses than the limit leaves";
#endif
  write("p.yaml", tiny(3));
  const std::string limit = in_folder() + "ulimit -v 600000 &&";
  const Said said = rgm::regimen("run p.yaml --out out --set stages.base.model.channels=4096", limit);
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("Even one row at a time is too much"));
  EXPECT_THAT(said.err, HasSubstr("trainable: {last: 2}"));
}

// On a device that says it has a terabyte and then does not give it. 4 bytes of 28,160 weights are 113 kB; AdamW has
// twice that as moments.
TEST_F(Faults, MemoryThatRunsOutInAStepIsToldByWhoHoldsItAndWhatMakesItFit) {
  write("p.yaml", tiny(3));
  const Said whole = scarce("run p.yaml --backend scarce --out out", "SCARCE_BYTES=600000");
  EXPECT_EQ(whole.status, 1);
  EXPECT_THAT(whole.err, HasSubstr("base: at step 1: "));
  EXPECT_THAT(whole.err, testing::ContainsRegex("out of memory on scarce: [0-9.]+ kB were asked for, [0-9.]+ kB are in "
                                                "use: weights 107 kB, gradients [0-9.]+ k?B, moments 214 kB, "
                                                "[0-9.]+ kB for activations and the rest"));
  EXPECT_THAT(whole.err, HasSubstr("--set stages.base.micro_batch=2"));
  EXPECT_EQ(json("out/base/stage.json")["status"], "failed");
}

// 700 kB hold the weights, gradients and moments, and no 4 rows beside them.
TEST_F(Faults, RowsAtOnceAreAsManyAsFitAndStayAsManyWhenARunGoesOn) {
  const std::string pipeline = tiny(6, "    micro_batch: auto\n    checkpoint: {every: 1}\n    log: {every: 1}\n");
  const std::string little = "SCARCE_BYTES=700000 SCARCE_SAYS=700000", life = " SCARCE_LIFE=";
  write("p.yaml", pipeline);
  const Said whole = scarce("run p.yaml --backend scarce --out whole", little);
  ASSERT_EQ(whole.status, 0) << whole.err;
  std::smatch told;
  ASSERT_TRUE(
      std::regex_search(whole.err, told,
                        std::regex("stage base: micro_batch: auto takes ([123]) of 4 rows at once, as 700 kB is "
                                   "free on the device")))
      << whole.err;
  const auto record = json("whole/base/stage.json");
  EXPECT_EQ(record["configuration"]["micro_batch"], std::stoi(told[1]));
  EXPECT_EQ(record["chosen"]["micro_batch"], "auto");
  EXPECT_FALSE(fs::exists(folder_ / "whole/base/chosen.json"));
  EXPECT_THAT(scarce("run p.yaml --backend scarce --out whole", "SCARCE_SAYS=1").err, HasSubstr("base: unchanged"));

  const Said first = scarce("run p.yaml --backend scarce --out killed", little + life + "400");
  ASSERT_EQ(first.status, 1) << first.err;
  const Said again = scarce("run p.yaml --backend scarce --out killed", "SCARCE_SAYS=90000000");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("auto takes " + told[1].str() + " of 4 rows at once, as before"));
  EXPECT_THAT(again.err, HasSubstr("base: resumed at step "));
  EXPECT_EQ(hash_of("killed" + std::string(model)), hash_of("whole" + std::string(model)));

  const Said none = scarce("run p.yaml --backend scarce --out none", "SCARCE_SAYS=200000");
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("Even one row at a time is too much"));
  const Said plan = scarce("plan p.yaml --backend scarce", little);
  EXPECT_THAT(plan.out,
              HasSubstr("  at once       " + told[1].str() + " rows, chosen by the memory that is free now\n"))
      << plan.err;
}

TEST_F(Faults, ADeviceThatFallsAwayLeavesTheLastCheckpointFromWhichTheRunGoesOn) {
  write("p.yaml", tiny(6, "    checkpoint: {every: 1}\n"));
  const Said first = scarce("run p.yaml --backend scarce --out out", "SCARCE_LIFE=300");
  EXPECT_EQ(first.status, 1);
  EXPECT_THAT(first.err, HasSubstr("backend \"scarce\" failed: the device is no longer there"));
  EXPECT_THAT(first.err, Not(HasSubstr("mistake in the plug-in")));
  const Said again = scarce("run p.yaml --backend scarce --out out", "SCARCE_LIFE=1000000");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("base: resumed at step "));
}

TEST_F(Faults, AFolderThatCannotBeMadeIsNamed) {
  write("p.yaml", tiny(3));
  write("occupied", "a file");
  const Said said = regimen("run p.yaml --out occupied/run");
  EXPECT_NE(said.status, 0);
  EXPECT_THAT(said.err, HasSubstr("occupied/run"));
}

}  // namespace
}  // namespace rgm
