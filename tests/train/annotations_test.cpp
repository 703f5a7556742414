// annotations_test.cpp - many units are annotated at once, and a group of examples keeps only its neighbours from it.
#include "train/annotations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace rgm {
namespace {

// So many examples a unit; column "unit" says which.
class Groups : public Source {
 public:
  explicit Groups(std::vector<int64_t> sizes) : sizes_(std::move(sizes)) {}
  int64_t units() const override { return std::ssize(sizes_); }
  int64_t tokens() const override { return 0; }
  Batch batch(int64_t position, int64_t count, uint64_t) const override { return in_order(position, position + count); }
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
  const std::string& sha256() const override { return hash_; }
  int64_t unit_at(int64_t position, uint64_t) const override { return position; }

 private:
  std::vector<int64_t> sizes_;
  std::string hash_;
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

}  // namespace
}  // namespace rgm
