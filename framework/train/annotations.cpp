// annotations.cpp - one pass over the data, and the file it is kept in.
#include "train/annotations.hpp"

#include <map>
#include <numeric>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/sha256.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {

constexpr uint32_t annotation_draws = 0xA770;  // keeps its random numbers apart from those of the steps

// Where the column's numbers lie: another place once it was set.
const void* values_of(const BatchColumn& column) {
  if (!column.reals.empty()) return column.reals.data();
  if (!column.integers.empty()) return column.integers.data();
  return column.texts.data();
}

// A value of column `name` for each example of the batch: one number, or one a token.
std::vector<std::vector<float>> by_example(const Batch& batch, const std::string& name, const BatchColumn& column) {
  std::vector<std::vector<float>> out(size_t(batch.examples));
  if (column.kind != ColumnKind::per_token) {
    for (size_t e = 0; e < out.size(); ++e) out[e] = {column.reals[e]};
    return out;
  }
  const BatchColumn& tokens = batch.columns.at(tokens_of(batch, name));
  for (size_t i = 0; i < column.reals.size(); ++i)
    if (tokens.segments[i] > 0) out[size_t(tokens.segments[i] - 1)].push_back(column.reals[i]);
  return out;
}

}  // namespace

Annotations::Annotations(TrainSetup& setup, void* self, const Source& source, const std::string& name, int64_t rows,
                         const std::vector<int64_t>& few) {
  std::vector<int64_t> units = few;
  if (units.empty()) {
    units.resize(size_t(source.units()));
    std::iota(units.begin(), units.end(), int64_t{0});
  }
  if (setup.is_trial) {
    compute(setup, self, source, rows, units);
    return;
  }
  const std::string key = sha256(setup.training_sha256 + source.sha256());
  const fs::path file = setup.folder / "annotations" / (name + "-" + key.substr(0, 16) + ".json");
  if (read(file)) return;
  log::info("{}: annotating {} examples", setup.train->stage, units.size());
  compute(setup, self, source, rows, units);
  fs::create_directories(file.parent_path());
  write(file);
}

void Annotations::compute(TrainSetup& setup, void* self, const Source& source, int64_t rows,
                          const std::vector<int64_t>& units) {
  const NoGradient still;
  size_t apart = 0;  // up to here one unit after the other
  for (size_t at = 0; at < units.size(); ++at) {
    // One unit after the other would waste the device; so `rows` at once where each of them is one example.
    const int64_t begin = units[at];
    int64_t end = begin + 1;
    while (at >= apart && end < begin + rows && at + size_t(end - begin) < units.size() &&
           units[at + size_t(end - begin)] == end)
      ++end;
    Batch batch = source.in_order(begin, end);
    const bool single = batch.examples == end - begin;
    if (!single && end > begin + 1) apart = at + size_t(end - begin), batch = source.in_order(begin, begin + 1);
    std::map<std::string, const void*> before;
    for (const auto& [name, column] : batch.columns) before.emplace(name, values_of(column));
    setup.train->begin_step({&batch});
    {
      const RandomScope random({setup.train->seed, uint64_t(begin), 0, annotation_draws});
      call_plugin(setup.strategy_name, "annotate", [&] { return setup.strategy->annotate(self, setup.train, &batch); });
    }
    for (const auto& [name, column] : batch.columns) {
      if (const auto old = before.find(name); old != before.end()) {
        require(old->second == values_of(column), "{}: annotate changes the column \"{}\" of the data; it may add some",
                setup.strategy_name, name);
        continue;
      }
      require(column.kind == ColumnKind::real || column.kind == ColumnKind::per_token,
              "{}: annotate adds the column \"{}\", which holds no real numbers; only those are kept",
              setup.strategy_name, name);
      Column& kept = columns_[name];
      kept.per_token = column.kind == ColumnKind::per_token;
      kept.units.resize(size_t(source.units()));
      auto values = by_example(batch, name, column);
      const auto of_unit = kept.units.begin() + begin;
      if (single)
        for (size_t e = 0; e < values.size(); ++e) of_unit[ptrdiff_t(e)] = {std::move(values[e])};
      else
        *of_unit = std::move(values);
    }
    if (single) at += size_t(end - begin) - 1;
  }
}

void Annotations::merge(Batch& batch, std::span<const int64_t> units) const {
  for (const auto& [name, column] : columns_) {
    std::vector<const std::vector<float>*> examples;
    for (const int64_t unit : units)
      for (const auto& value : column.units.at(size_t(unit))) examples.push_back(&value);
    require(int64_t(examples.size()) == batch.examples, "annotations of {} do not fit the batch: {} for {} examples",
            name, examples.size(), batch.examples);
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

bool Annotations::read(const fs::path& file) {
  if (!fs::exists(file)) return false;
  const auto json = json_or_discarded(read_file(file));
  if (!json.is_object()) return false;
  for (const auto& [name, column] : json.items())
    columns_[name] = {column.at("per_token").get<bool>(),
                      column.at("units").get<std::vector<std::vector<std::vector<float>>>>()};
  return true;
}

void Annotations::write(const fs::path& file) const {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, column] : columns_) json[name] = {{"per_token", column.per_token}, {"units", column.units}};
  write_file(file, json.dump());
}

}  // namespace rgm
