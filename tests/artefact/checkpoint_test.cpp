// checkpoint_test.cpp - the newest whole checkpoint is found, however the run ended.
#include "artefact/checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "artefact/folder.hpp"
#include "base/error.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

void write_step(Checkpoints& checkpoints, int64_t step) {
  const std::vector<float> weight{static_cast<float>(step), 0.5F};
  const std::vector tensors{outgoing(SavedTensor{"w", RGM_F32, {2}, std::as_bytes(std::span(weight))})};
  checkpoints.write(step, {{"learning_rate", 0.1}, {"position", step * 12}}, tensors);
}

float weight_of(const Checkpoint& checkpoint) {
  float out = 0;
  std::memcpy(&out, checkpoint.tensors.find("w")->data.data(), sizeof out);
  return out;
}

std::vector<std::string> names(const fs::path& folder) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) out.push_back(entry.path().filename().string());
  std::ranges::sort(out);
  return out;
}

class CheckpointsTest : public testing::Test {
 protected:
  // What newest() finds, and what it said about others.
  std::optional<int64_t> newest_step() {
    testing::internal::CaptureStderr();
    const auto found = checkpoints.newest();
    said = testing::internal::GetCapturedStderr();
    if (!found) return std::nullopt;
    EXPECT_EQ(weight_of(*found), static_cast<float>(found->step));
    EXPECT_EQ(found->state.at("position"), found->step * 12);
    return found->step;
  }

  test::Folder folder;
  fs::path where = folder / "checkpoint";
  Checkpoints checkpoints{where};
  std::string said;
};

TEST_F(CheckpointsTest, ThereIsNoneAtFirst) { EXPECT_EQ(newest_step(), std::nullopt); }

TEST_F(CheckpointsTest, WhetherThereAreAnyIsKnownWithoutReadingThem) {
  EXPECT_FALSE(checkpoints.any());
  write_step(checkpoints, 5);
  EXPECT_TRUE(checkpoints.any());
  fs::remove(where / "step-5" / "tensors.safetensors");
  EXPECT_TRUE(checkpoints.any());
}

TEST_F(CheckpointsTest, TheNewestTwoAreKept) {
  for (const int64_t step : {8, 9, 10, 100}) write_step(checkpoints, step);
  EXPECT_THAT(names(where), testing::ElementsAre("step-10", "step-100"));
  EXPECT_EQ(newest_step(), 100);
  EXPECT_EQ(said, "");
}

TEST_F(CheckpointsTest, TheSameStepMayBeWrittenAgain) {
  write_step(checkpoints, 5);
  write_step(checkpoints, 5);
  EXPECT_THAT(names(where), testing::ElementsAre("step-5"));
  EXPECT_EQ(newest_step(), 5);
}

// As an answer's may that ends within a character.
TEST_F(CheckpointsTest, ATextThatIsNoUtf8IsKeptAsFarAsItIs) {
  checkpoints.write(1, {{"sample", "half a \xD1"}}, {});
  const auto found = checkpoints.newest();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state["sample"], "half a \xEF\xBF\xBD");
}

TEST_F(CheckpointsTest, EveryTruncationIsPassedOver) {
  write_step(checkpoints, 10);
  write_step(checkpoints, 20);
  for (const std::string name : {"state.json", "tensors.safetensors"}) {
    const fs::path file = where / "step-20" / name;
    const std::string whole = read_file(file);
    const size_t last = name == "state.json" ? whole.size() - 1 : whole.size();  // its last byte ends the line
    for (size_t n = 0; n < last; ++n) {
      write_file(file, whole.substr(0, n));
      ASSERT_EQ(newest_step(), 10) << name << " of " << n << " bytes";
      ASSERT_THAT(said, HasSubstr("step-20"));
    }
    fs::remove(file);
    ASSERT_EQ(newest_step(), 10) << name << " is missing";
    write_file(file, whole);
    ASSERT_EQ(newest_step(), 20);
  }
}

TEST_F(CheckpointsTest, OneChangedByteIsSeen) {
  write_step(checkpoints, 10);
  write_step(checkpoints, 20);
  const fs::path tensors = where / "step-20" / "tensors.safetensors", state = where / "step-20" / "state.json";
  std::string content = read_file(tensors);
  content.back() ^= 1;
  write_file(tensors, content);
  EXPECT_EQ(newest_step(), 10);
  content.back() ^= 1;
  write_file(tensors, content);
  std::string text = read_file(state);
  text.replace(text.find("240"), 3, "241");
  write_file(state, text);
  EXPECT_EQ(newest_step(), 10);
}

// What is nested without end would end the program where it is written again.
TEST_F(CheckpointsTest, OneOfManyBracketsIsPassedOver) {
  write_step(checkpoints, 10);
  write_step(checkpoints, 20);
  const std::string nested = std::string(200'000, '[') + std::string(200'000, ']');
  for (const std::string& text : {nested, R"({"checkpoint": 1, "step": 20, "state": )" + nested + "}"}) {
    write_file(where / "step-20" / "state.json", text);
    EXPECT_EQ(newest_step(), 10);
    EXPECT_THAT(said, HasSubstr("step-20 is damaged and was skipped"));
  }
}

TEST_F(CheckpointsTest, WithoutAWholeOneThereIsNone) {
  write_step(checkpoints, 10);
  write_file(where / "step-10" / "state.json", "{");
  EXPECT_EQ(newest_step(), std::nullopt);
  EXPECT_THAT(said, HasSubstr("damaged"));
}

TEST_F(CheckpointsTest, WhatAKilledRunLeftIsIgnoredAndRemoved) {
  write_step(checkpoints, 10);
  fs::create_directories(where / ".step-20.4242");
  fs::create_directories(where / "step-20.old");
  EXPECT_EQ(newest_step(), 10);
  write_step(checkpoints, 15);
  EXPECT_THAT(names(where), testing::ElementsAre("step-10", "step-15"));
}

// A run that went on from step 10 because 20 was torn must not meet 20 again.
TEST_F(CheckpointsTest, StepsOfAnAbandonedFutureGo) {
  write_step(checkpoints, 10);
  write_step(checkpoints, 20);
  write_file(where / "step-20" / "state.json", "{");
  write_step(checkpoints, 15);
  EXPECT_THAT(names(where), testing::ElementsAre("step-10", "step-15"));
}

TEST_F(CheckpointsTest, ThoseOfOtherSettingsComeBackWithTheirSettings) {
  write_step(checkpoints, 10);
  write_step(checkpoints, 20);
  write_file(folder / "metrics.jsonl", "of these");
  const std::vector beside = {folder / "metrics.jsonl", folder / "not there"};
  const fs::path aside = checkpoints.set_aside("these", beside);
  EXPECT_THAT(names(where), testing::ElementsAre(aside.filename().string()));
  EXPECT_THAT(names(aside), testing::ElementsAre("metrics.jsonl", "step-10", "step-20"));
  EXPECT_EQ(newest_step(), std::nullopt);
  EXPECT_FALSE(fs::exists(folder / "metrics.jsonl"));

  write_step(checkpoints, 5);
  EXPECT_TRUE(fs::exists(aside)) << "others write beside it";
  write_file(folder / "metrics.jsonl", "of those");
  const fs::path others = checkpoints.set_aside("those", beside);
  EXPECT_FALSE(checkpoints.take_back("neither"));
  EXPECT_TRUE(checkpoints.take_back("these"));
  EXPECT_THAT(names(where), testing::ElementsAre(others.filename().string(), "step-10", "step-20"));
  EXPECT_EQ(newest_step(), 20);
  EXPECT_EQ(read_file(folder / "metrics.jsonl"), "of these");
}

TEST_F(CheckpointsTest, KilledWhileTheyAreMovedTheyGoOn) {
  write_step(checkpoints, 10);
  const fs::path aside = checkpoints.set_aside("these", {});
  write_step(checkpoints, 20);  // as one that was not moved yet
  EXPECT_EQ(checkpoints.set_aside("these", {}), aside);
  EXPECT_THAT(names(aside), testing::ElementsAre("step-10", "step-20"));
  fs::rename(aside / "step-20", where / "step-20");  // as one that came back already
  EXPECT_TRUE(checkpoints.take_back("these"));
  EXPECT_THAT(names(where), testing::ElementsAre("step-10", "step-20"));
}

TEST_F(CheckpointsTest, OfOtherSettingsTheNewestAloneAreKept) {
  write_step(checkpoints, 10);
  checkpoints.set_aside("first", {});
  write_step(checkpoints, 10);
  const fs::path second = checkpoints.set_aside("second", {});
  testing::internal::CaptureStderr();
  checkpoints.remove_aside_but(second);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("removed"));
  EXPECT_THAT(names(where), testing::ElementsAre(second.filename().string()));
  checkpoints.remove_all();
  EXPECT_FALSE(fs::exists(where));
}

TEST_F(CheckpointsTest, RemovingLeavesWhatIsNotTheirs) {
  write_step(checkpoints, 10);
  write_file(where / "notes.txt", "mine");
  checkpoints.remove_all();
  EXPECT_THAT(names(where), testing::ElementsAre("notes.txt"));
  fs::remove(where / "notes.txt");
  checkpoints.remove_all();
  EXPECT_FALSE(fs::exists(where));
}

}  // namespace
}  // namespace rgm
