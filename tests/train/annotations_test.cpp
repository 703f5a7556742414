// annotations_test.cpp - many units are annotated at once, a group of examples keeps only its neighbours from it, and
// what was annotated before a run ended is not annotated again.
#include "train/annotations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <numeric>
#include <thread>

#include "artefact/folder.hpp"
#include "base/forked.hpp"
#include "base/interrupt.hpp"
#include "train/few_units.hpp"

namespace rgm {
namespace {

// So many examples a unit; column "unit" says which.
class Groups : public FewUnits {
 public:
  explicit Groups(std::vector<int64_t> sizes) : sizes_(std::move(sizes)) {}
  int64_t units() const override { return std::ssize(sizes_); }
  Batch in_order(int64_t begin, int64_t end) const override {
    Batch out;
    BatchColumn& column = out.columns["unit"];
    column.kind = ColumnKind::integer;
    for (int64_t unit = begin; unit < end; ++unit)
      column.integers.insert(column.integers.end(), static_cast<size_t>(sizes_[static_cast<size_t>(unit)]),
                             static_cast<int32_t>(unit));
    out.examples = std::ssize(column.integers);
    return out;
  }

 private:
  std::vector<int64_t> sizes_;
};

// Adds how many examples it was given at once.
rgm_status count_examples(void*, rgm_train*, rgm_batch* batch) {
  BatchColumn& column = batch->columns["at_once"];
  column.kind = ColumnKind::real;
  column.reals.assign(static_cast<size_t>(batch->examples), static_cast<float>(batch->examples));
  return RGM_OK;
}

TEST(Annotations, AGroupOfExamplesKeepsOnlyItsNeighboursFromBeingAnnotatedAtOnce) {
  rgm_strategy counting{};
  counting.struct_size = sizeof counting;
  counting.annotate = count_examples;
  rgm_train train;
  TrainSetup setup;
  setup.strategy = &counting;
  setup.strategy_name = "strategy \"counting\"";
  setup.train = &train;
  setup.is_trial = true;  // so that nothing is kept
  const Groups source({1, 1, /*a group*/ 2, 1, 1, 1, 1});
  std::vector<int64_t> all(7);
  std::iota(all.begin(), all.end(), int64_t{0});
  const Annotations annotations(setup, nullptr, source, "data", /*rows=*/2, all);
  Batch batch = source.in_order(0, 7);
  annotations.merge(batch, all);
  EXPECT_THAT(batch.columns.at("at_once").reals, testing::ElementsAre(2, 2, /*a group*/ 2, 2, 1, 2, 2, 1));
}

class KeptAnnotations : public testing::Test {
 protected:
  static inline int calls = 0, fails_at = 0, is_interrupted_at = 0;

  // Adds the unit's number; of unit 1 minus infinity, of unit 2 what is no number.
  static rgm_status number(void*, rgm_train*, rgm_batch* batch) {
    if (++calls == fails_at) return keep_failure(RGM_INVALID, "told to");
    if (calls == is_interrupted_at) {
      ::kill(::getpid(), SIGINT);
      while (!interrupted()) std::this_thread::yield();
    }
    BatchColumn& column = batch->columns["number"];
    column.kind = ColumnKind::real;
    for (const int32_t unit : batch->columns.at("unit").integers)
      column.reals.push_back(unit == 1 ? -INFINITY : unit == 2 ? NAN : static_cast<float>(unit) / 3);
    return RGM_OK;
  }

  KeptAnnotations() {
    strategy_.struct_size = sizeof strategy_;
    strategy_.annotate = number;
    setup_.strategy = &strategy_;
    setup_.strategy_name = "strategy \"numbering\"";
    setup_.train = &train_;
    setup_.folder = folder_.path();
    setup_.training_sha256 = "these";
    calls = fails_at = is_interrupted_at = 0;
  }
  // Two units a call: three calls for all. Answers how many there were.
  int annotate() {
    calls = 0;
    const Annotations annotations(setup_, nullptr, source_, "data", /*rows=*/2);
    Batch batch = source_.in_order(0, 6);
    annotations.merge(batch, std::vector<int64_t>{0, 1, 2, 3, 4, 5});
    const std::vector<float>& found = batch.columns.at("number").reals;
    EXPECT_THAT(found, testing::ElementsAre(0, -INFINITY, testing::IsNan(), 1, 4.0F / 3, 5.0F / 3));
    return calls;
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder_ / "annotations")) out.push_back(entry.path());
    return out;
  }

  test::Folder folder_;
  Groups source_{{1, 1, 1, 1, 1, 1}};
  rgm_strategy strategy_{};
  rgm_train train_;
  TrainSetup setup_;
};

TEST_F(KeptAnnotations, AreMadeOnce) {
  EXPECT_EQ(annotate(), 3);
  EXPECT_EQ(annotate(), 0);
}

TEST_F(KeptAnnotations, GoOnBehindThoseOfARunThatEnded) {
  fails_at = 3;
  EXPECT_THROW(annotate(), Error);
  fails_at = 0;
  EXPECT_EQ(annotate(), 1);
}

TEST_F(KeptAnnotations, GoOnBehindTheLastWholeLine) {
  EXPECT_EQ(annotate(), 3);
  ASSERT_EQ(files().size(), 1U);
  const fs::path file = files()[0];
  fs::resize_file(file, fs::file_size(file) - 3);
  EXPECT_EQ(annotate(), 1);
  fs::resize_file(file, 3);
  EXPECT_EQ(annotate(), 3);
}

// As their checkpoint waits, too.
TEST_F(KeptAnnotations, WaitForTheirSettings) {
  EXPECT_EQ(annotate(), 3);
  setup_.training_sha256 = "others";
  EXPECT_EQ(annotate(), 3);
  setup_.training_sha256 = "these";
  EXPECT_EQ(annotate(), 0);
  setup_.training_sha256 = "others";
  EXPECT_EQ(annotate(), 0);
}

TEST_F(KeptAnnotations, OfOtherSettingsThoseThatWereUsedLastAloneStay) {
  EXPECT_EQ(annotate(), 3);
  setup_.training_sha256 = "others";
  EXPECT_EQ(annotate(), 3);
  setup_.training_sha256 = "these";
  EXPECT_EQ(annotate(), 0);
  setup_.training_sha256 = "yet others";
  fails_at = 2;
  EXPECT_THROW(annotate(), Error);
  EXPECT_EQ(files().size(), 3U) << "until these are complete";
  fails_at = 0;
  EXPECT_EQ(annotate(), 2);
  EXPECT_EQ(files().size(), 2U);
  setup_.training_sha256 = "these";
  EXPECT_EQ(annotate(), 0);
}

TEST_F(KeptAnnotations, OfAStageThatIsDoneItsOwnAloneStay) {
  EXPECT_EQ(annotate(), 3);
  setup_.training_sha256 = "others";
  EXPECT_EQ(annotate(), 3);
  write_file(folder_ / "annotations/notes.txt", "mine");
  remove_older_annotations(folder_.path(), 1);
  EXPECT_EQ(files().size(), 2U) << "one of them is not theirs";
  EXPECT_EQ(annotate(), 0);
}

TEST_F(KeptAnnotations, AreNotWrittenIntoAFolderThatIsAnothers) {
  setup_.check_folder = [] {
    if (calls == 2) failure("replaced");
  };
  EXPECT_THROW(annotate(), Error);
  setup_.check_folder = {};
  EXPECT_EQ(annotate(), 2) << "of three, the first was written";
}

// Two texts, of 2 and 3 tokens.
class Texts : public FewUnits {
 public:
  int64_t units() const override { return 2; }
  Batch in_order(int64_t begin, int64_t end) const override {
    const TokenExample texts[] = {{{5, 6}, {1, 1}}, {{7, 8, 9}, {1, 1, 1}}};
    Batch out;
    out.examples = end - begin;
    const auto chosen = std::span(texts).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    out.columns["text"] = pack(chosen, 8);
    return out;
  }
};

TEST_F(KeptAnnotations, OfAnotherLengthThanTheTextAreRefused) {
  strategy_.annotate = [](void*, rgm_train*, rgm_batch* batch) -> rgm_status {
    const BatchColumn& text = batch->columns.at("text");
    batch->columns["text.twice"] = {.kind = ColumnKind::per_token,
                                    .reals = std::vector<float>(text.integers.begin(), text.integers.end()),
                                    .rows = text.rows,
                                    .length = text.length};
    return RGM_OK;
  };
  const Texts source;
  Batch batch = source.in_order(0, 2);
  const auto merge = [&] {
    Annotations(setup_, nullptr, source, "data", /*rows=*/2).merge(batch, std::vector<int64_t>{0, 1});
  };
  merge();
  EXPECT_THAT(batch.columns.at("text.twice").reals, testing::ElementsAre(5, 6, 7, 8, 9));
  ASSERT_EQ(files().size(), 1U);
  auto line = nlohmann::json::parse(read_file(files()[0]));
  line["columns"]["text.twice"]["units"][1][0].erase(0);
  write_file(files()[0], line.dump() + "\n");
  EXPECT_THAT(merge, testing::ThrowsMessage<Error>(testing::AllOf(
                         testing::HasSubstr(files()[0].string() + ": of row 2 it has 2 numbers \"text.twice\""),
                         testing::HasSubstr("3 were expected"))));
}

using KeptAnnotationsDeathTest = KeptAnnotations;

// In a process of its own, as an interruption is for good.
TEST_F(KeptAnnotationsDeathTest, AnInterruptionEndsThemAfterTheCallAtHand) {
  is_interrupted_at = 2;
  const auto is_stopped = [&] {
    catch_interrupts();
    try {
      annotate();
    } catch (const Interrupted& e) {
      ::_exit(std::string(e.what()).find("interrupted after 4 of 6 examples were annotated") == std::string::npos
                  ? 1
                  : 130);
    }
    ::_exit(0);
  };
  EXPECT_EXIT(is_stopped(), testing::ExitedWithCode(130), "");
  is_interrupted_at = 0;
  EXPECT_EQ(annotate(), 1);
}

// Three calls of two units: the first process makes the first and the last one.
TEST_F(KeptAnnotations, ProcessesTakeTurnsAndAllHaveAll) {
  annotate();
  const std::string alone = read_file(files().at(0));
  fs::remove_all(folder_ / "annotations");
  const auto both = [&] {
    return test::in_processes(2, [&](ProcessGroup& processes) {
      train_.processes = &processes;
      return std::to_string(annotate());
    });
  };
  EXPECT_THAT(both(), testing::ElementsAre("2", "1"));
  EXPECT_EQ(read_file(files().at(0)), alone);
  EXPECT_THAT(both(), testing::Each("0"));
  // As if it had been killed in the second call.
  fs::resize_file(files().at(0), alone.find('\n') + 3);
  EXPECT_THAT(both(), testing::ElementsAre("1", "1"));
  EXPECT_EQ(read_file(files().at(0)), alone);
}

TEST_F(KeptAnnotations, WhatFailsInOneProcessFailsInAll) {
  const auto both = test::in_processes(2, [&](ProcessGroup& processes) {
    train_.processes = &processes;
    fails_at = processes.rank() == 1 ? 1 : 0;
    return std::to_string(annotate());
  });
  EXPECT_THAT(both, testing::Each(testing::HasSubstr("told to")));
}

}  // namespace
}  // namespace rgm
