// metrics_test.cpp - metrics.jsonl: what a line looks like, what resuming keeps, what is not a number.
#include "train/metrics.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

namespace rgm {
namespace {

class Metrics : public testing::Test {
 protected:
  Metrics() : path_(fs::temp_directory_path() / ("regimen-metrics-" + std::to_string(getpid())) / "metrics.jsonl") {}
  ~Metrics() override { fs::remove_all(path_.parent_path()); }
  fs::path path_;
};

TEST_F(Metrics, WritesOneObjectALineWithStepFirstAndNamesInTheirOrder) {
  MetricsFile(path_, 0).write(10, {{"tokens", 7680}, {"loss", 4.25}, {"learning_rate", 1e-4}});
  EXPECT_EQ(read_file(path_), "{\"step\": 10, \"tokens\": 7680, \"loss\": 4.25, \"learning_rate\": 0.0001}\n");
}

TEST_F(Metrics, IsReadableWhileTheRunGoesOn) {
  MetricsFile metrics(path_, 0);
  metrics.write(1, {{"loss", 2}});
  EXPECT_EQ(read_file(path_), "{\"step\": 1, \"loss\": 2}\n");
}

// As a reward's, which would keep it open.
TEST_F(Metrics, AProgramThatIsStartedMeanwhileHasNoPartOfTheFiles) {
  const fs::path folder = path_.parent_path();
  const MetricsFile metrics(path_, 0);
  const EventFile events(folder, 0);
  int found = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the folder's own
    const fs::path file = fs::read_symlink(entry.path(), gone);
    if (gone || file.parent_path() != folder) continue;
    ++found;
    EXPECT_TRUE(::fcntl(std::stoi(entry.path().filename().string()), F_GETFD) & FD_CLOEXEC) << file;
  }
  EXPECT_EQ(found, 2);
}

TEST_F(Metrics, NumbersThatJsonHasNoWordForAreNull) {
  MetricsFile(path_, 0).write(1, {{"loss", NAN}, {"gradient_norm", INFINITY}});
  EXPECT_EQ(read_file(path_), "{\"step\": 1, \"loss\": null, \"gradient_norm\": null}\n");
}

TEST_F(Metrics, NamesAreQuoted) {
  MetricsFile(path_, 0).write(1, {{"a \"b\"\n", 1}});
  EXPECT_EQ(read_file(path_), "{\"step\": 1, \"a \\\"b\\\"\\n\": 1}\n");
}

TEST_F(Metrics, ResumingDropsTheStepsBehindTheCheckpointAndAHalfLine) {
  {
    MetricsFile metrics(path_, 0);
    for (const int step : {10, 20, 30}) metrics.write(step, {{"loss", 1.0 / step}});
  }
  std::ofstream(path_, std::ios::app) << "{\"step\": 15, \"lo";  // killed here
  {
    MetricsFile metrics(path_, 20);
    metrics.write(30, {{"loss", 0.5}});
  }
  EXPECT_EQ(read_file(path_),
            "{\"step\": 10, \"loss\": 0.1}\n{\"step\": 20, \"loss\": 0.05}\n"
            "{\"step\": 30, \"loss\": 0.5}\n");
}

TEST_F(Metrics, AFreshStartForgetsTheOldRun) {
  MetricsFile(path_, 0).write(10, {{"loss", 1}});
  MetricsFile(path_, 0).write(1, {{"loss", 2}});
  EXPECT_EQ(read_file(path_), "{\"step\": 1, \"loss\": 2}\n");
}

}  // namespace
}  // namespace rgm
