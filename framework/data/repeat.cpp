// repeat.cpp - a batch several times over, so that the members of an ensemble each read it in one pass.
#include <algorithm>

#include "data/batch.hpp"
#include "data/units.hpp"

namespace rgm {

Batch repeated(const Batch& batch, int64_t times, const std::vector<std::string>& together) {
  const std::vector<const Batch*> copies(static_cast<size_t>(times), &batch);
  std::vector<int32_t> members;
  for (int64_t m = 0; m < times; ++m)
    members.insert(members.end(), static_cast<size_t>(batch.examples), static_cast<int32_t>(m));
  Batch out = joined(copies, members);
  for (auto& [name, column] : out.columns)
    if (column.kind == ColumnKind::integer && std::ranges::count(together, name) > 0) part_copies(column, members);
  out.columns["member"] = {.kind = ColumnKind::integer, .integers = std::move(members)};
  return out;
}

}  // namespace rgm
