// annotations_merge.cpp - annotations of units as columns of the batch that has these units.
#include "base/error.hpp"
#include "train/annotations.hpp"

namespace rgm {
namespace {

// How many tokens each example of the batch has in the column that `name` belongs to.
std::vector<size_t> lengths_of(const Batch& batch, const std::string& name) {
  std::vector<size_t> out(size_t(batch.examples));
  for (const int32_t segment : batch.columns.at(tokens_of(batch, name)).segments)
    if (segment > 0) ++out[size_t(segment - 1)];
  return out;
}

}  // namespace

void Annotations::merge(Batch& batch, std::span<const int64_t> units) const {
  for (const auto& [name, column] : columns_) {
    std::vector<const std::vector<float>*> examples;
    std::vector<int64_t> rows;  // that they are of
    for (const int64_t unit : units)
      for (const auto& value : column.units.at(size_t(unit))) examples.push_back(&value), rows.push_back(unit + 1);
    require(int64_t(examples.size()) == batch.examples, "annotations of {} do not fit the batch: {} for {} examples",
            name, examples.size(), batch.examples);
    const std::vector<size_t> lengths =
        column.per_token ? lengths_of(batch, name) : std::vector<size_t>(examples.size(), 1);
    for (size_t e = 0; e < examples.size(); ++e)
      require(examples[e]->size() == lengths[e],
              "{}: of row {} it has {} numbers \"{}\", {} were expected: it is damaged; delete it, and they are made "
              "again",
              file_.string(), rows[e], examples[e]->size(), name, lengths[e]);
    BatchColumn out;
    if (!column.per_token) {
      for (const auto* value : examples) out.reals.push_back(value->front());
    } else {
      const BatchColumn& tokens = batch.columns.at(tokens_of(batch, name));
      out = {.kind = ColumnKind::per_token, .rows = tokens.rows, .length = tokens.length};
      out.reals.resize(tokens.integers.size());
      std::vector<size_t> next(examples.size());
      for (size_t i = 0; i < tokens.integers.size(); ++i)
        if (const int32_t segment = tokens.segments[i]; segment > 0)
          out.reals[i] = (*examples[size_t(segment - 1)])[next[size_t(segment - 1)]++];
    }
    batch.columns[name] = std::move(out);
  }
}

}  // namespace rgm
