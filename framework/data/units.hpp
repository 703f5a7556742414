// units.hpp - which examples stay together: a ranking, a group, or each by itself; and which of them a split keeps.
#pragma once
#include <cstdint>
#include <vector>

#include "data/batch.hpp"
#include "data/source.hpp"
#include "data/stored_column.hpp"

namespace rgm {

struct Units {
  std::vector<int64_t> examples;  // those of a unit are neighbours
  std::vector<int64_t> ends;      // of every unit, where its examples end

  int64_t count() const { return static_cast<int64_t>(ends.size()); }
  int64_t examples_of(int64_t unit) const {
    const auto u = static_cast<size_t>(unit);
    return ends[u] - (u == 0 ? 0 : ends[u - 1]);
  }
  void append(int64_t unit, std::vector<int64_t>& to) const {
    const auto u = static_cast<size_t>(unit);
    to.insert(to.end(), examples.begin() + (u == 0 ? 0 : ends[u - 1]), examples.begin() + ends[u]);
  }
};

// Of the examples that the columns hold, at most as many units as the spec wants. `rows` says which row each came from:
// it stands in for a TOGETHER column of integers that the file lacks, where rows have `lists`. The split is taken of
// prompts where answers are compared, so that none lies on both sides, otherwise of units. RGM_INVALID: a TOGETHER
// column is missing; nothing is kept.
Units units_of(const DataSpec& spec, std::vector<StoredColumn>& columns, const std::vector<int32_t>& rows, bool lists);

// Where an example comes again in a batch, the values of a TOGETHER column are numbered anew, so that no copy is taken
// for a part of another. `copies` says of every example how often it came before.
void part_copies(BatchColumn& together, const std::vector<int32_t>& copies);

}  // namespace rgm
