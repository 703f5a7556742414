// annotations.hpp - columns that a strategy adds once to every example, such as a reference's log-probabilities: made
// before training, kept on disk by the hash of what they depend on, and merged into batches as they are drawn.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "train/trainer.hpp"

namespace rgm {

struct AnnotatedColumn {
  bool per_token = false;
  std::vector<std::vector<std::vector<float>>> units;  // by unit, by example in it: one value, or one a token
};

class Annotations {
 public:
  // Runs strategy.annotate over `source` in its order, `rows` units at a time, and keeps each answer, so that an
  // interrupted run goes on behind those of the one before; of a trial nothing is kept. `few`: for these units alone,
  // as the steps draw no other. Throws Interrupted.
  Annotations(TrainSetup& setup, void* self, const Source& source, const std::string& name, int64_t rows,
              const std::vector<int64_t>& few = {});
  // Adds the columns to a batch whose units are `units` of the source, in that order.
  void merge(Batch& batch, std::span<const int64_t> units) const;

 private:
  // Up to `next` of the units are annotated, and from there to `apart` they go one by one; `bytes` of the file say so.
  struct Done {
    size_t next = 0, apart = 0;
    uintmax_t bytes = 0;
  };
  struct Call {  // of annotate
    Batch batch;
    int64_t begin = 0;    // its first unit
    bool single = false;  // each of its examples is a unit; otherwise all of them are one
  };
  static Call next_call(const Source& source, int64_t rows, const std::vector<int64_t>& units, Done& done);
  static std::map<std::string, AnnotatedColumn> answer_to(Call& call, const TrainSetup& setup, void* self);
  // `file`: none for a trial, nor where another process writes.
  void compute(TrainSetup& setup, void* self, const Source& source, int64_t rows, const std::vector<int64_t>& units,
               Done done, AppendedFile* file);
  void keep(const std::string& name, int64_t begin, size_t of_source, AnnotatedColumn added);
  Done read(const std::vector<int64_t>& units, size_t of_source);
  bool take(const nlohmann::json& line, const std::vector<int64_t>& units, size_t of_source, Done& done);

  std::map<std::string, AnnotatedColumn> columns_;
  fs::path file_;  // where they are kept; empty for a trial
};

// Of each source all files in `stage`'s annotations/ but the `kept` that were used last: each is as large as another.
void remove_older_annotations(const fs::path& stage, size_t kept);

}  // namespace rgm
