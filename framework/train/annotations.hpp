// annotations.hpp - columns that a strategy adds once to every example, such as a reference's log-probabilities: made
// before training, kept on disk by the hash of what they depend on, and merged into batches as they are drawn.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "train/trainer.hpp"

namespace rgm {

class Annotations {
 public:
  // Runs strategy.annotate over `source` in its order, `rows` units at a time, or reads what an earlier run kept; of a
  // trial nothing is kept. `few`: for these units alone, as the steps draw no other.
  Annotations(TrainSetup& setup, void* self, const Source& source, const std::string& name, int64_t rows,
              const std::vector<int64_t>& few = {});
  // Adds the columns to a batch whose units are `units` of the source, in that order.
  void merge(Batch& batch, std::span<const int64_t> units) const;

 private:
  struct Column {
    bool per_token = false;
    std::vector<std::vector<std::vector<float>>> units;  // by unit, by example in it: one value, or one a token
  };
  void compute(TrainSetup& setup, void* self, const Source& source, int64_t rows, const std::vector<int64_t>& units);
  bool read(const fs::path& file);
  void write(const fs::path& file) const;

  std::map<std::string, Column> columns_;
};

}  // namespace rgm
