// annotations.cpp - one pass over the data, and the file that grows with it: a line for each call of annotate.
#include "train/annotations.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>

#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/sha256.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

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

// How many tokens each example of the batch has in the column that `name` belongs to.
std::vector<size_t> lengths_of(const Batch& batch, const std::string& name) {
  std::vector<size_t> out(size_t(batch.examples));
  for (const int32_t segment : batch.columns.at(tokens_of(batch, name)).segments)
    if (segment > 0) ++out[size_t(segment - 1)];
  return out;
}

// JSON has no number for what is none, and not finite either.
Json numbers_of(const std::vector<float>& values) {
  Json out = Json::array();
  for (const float x : values) out.push_back(std::isfinite(x) ? Json(x) : Json(fmt::format("{}", x)));
  return out;
}
std::vector<float> floats_of(const Json& numbers) {
  std::vector<float> out;
  for (const Json& x : numbers)
    out.push_back(x.is_string() ? std::strtof(x.get_ref<const std::string&>().c_str(), nullptr) : x.get<float>());
  return out;
}

Json column_of(bool per_token, const std::vector<std::vector<std::vector<float>>>& by_unit) {
  Json units = Json::array();
  for (const auto& examples : by_unit) {
    Json unit = Json::array();
    for (const auto& values : examples) unit.push_back(numbers_of(values));
    units.push_back(std::move(unit));
  }
  return {{"per_token", per_token}, {"units", std::move(units)}};
}

constexpr size_t hash_digits = 16;

// The "train" of train-HASH.jsonl; empty for what has another name.
std::string source_of(const fs::path& file) {
  const std::string stem = file.stem().string();
  if (stem.size() <= hash_digits || stem[stem.size() - hash_digits - 1] != '-') return "";
  return stem.substr(0, stem.size() - hash_digits - 1);
}

}  // namespace

void remove_older_annotations(const fs::path& stage, size_t kept) {
  std::map<std::string, std::vector<std::pair<fs::file_time_type, fs::path>>> by_source;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(stage / "annotations", ignored))
    if (const std::string source = source_of(entry.path()); !source.empty())
      by_source[source].emplace_back(fs::last_write_time(entry.path(), ignored), entry.path());
  for (auto& [source, files] : by_source) {
    std::ranges::sort(files, std::greater());
    for (size_t i = kept; i < files.size(); ++i) fs::remove(files[i].second, ignored);
  }
}

Annotations::Annotations(TrainSetup& setup, void* self, const Source& source, const std::string& name, int64_t rows,
                         const std::vector<int64_t>& few) {
  std::vector<int64_t> units = few;
  if (units.empty()) {
    units.resize(size_t(source.units()));
    std::iota(units.begin(), units.end(), int64_t{0});
  }
  if (setup.is_trial) {
    compute(setup, self, source, rows, units, {}, nullptr);
    return;
  }
  const std::string key = sha256(setup.training_sha256 + source.sha256());
  file_ = setup.folder / "annotations" / (name + "-" + key.substr(0, hash_digits) + ".jsonl");
  if (setup.check_folder) setup.check_folder();
  fs::create_directories(file_.parent_path());
  const Done done = read(units, size_t(source.units()));
  if (done.next < units.size()) {
    log::info("{}: annotating {} examples{}", setup.train->stage, units.size(),
              done.next == 0 ? "" : fmt::format(", of which {} are done", done.next));
    AppendedFile out(file_, done.bytes);
    compute(setup, self, source, rows, units, done, &out);
  }
  // Used just now, also where nothing was written. Beside these stay those that were used before, as their checkpoint
  // waits for its settings.
  std::error_code ignored;
  fs::last_write_time(file_, fs::file_time_type::clock::now(), ignored);
  remove_older_annotations(setup.folder, 2);
}

void Annotations::compute(TrainSetup& setup, void* self, const Source& source, int64_t rows,
                          const std::vector<int64_t>& units, Done done, AppendedFile* file) {
  const NoGradient still;
  size_t at = done.next, apart = done.apart;  // up to `apart` one unit after the other
  auto synced_at = Clock::now();
  while (at < units.size()) {
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
    Json columns = Json::object();
    for (const auto& [name, column] : batch.columns) {
      if (const auto old = before.find(name); old != before.end()) {
        require(old->second == values_of(column),
                "{}: annotate changes the column \"{}\" of the data; it may only add columns", setup.strategy_name,
                name);
        continue;
      }
      require(column.kind == ColumnKind::real || column.kind == ColumnKind::per_token,
              "{}: annotate adds the column \"{}\", which holds no real numbers; only those are kept",
              setup.strategy_name, name);
      std::vector<std::vector<std::vector<float>>> by_unit(1);
      auto values = by_example(batch, name, column);
      if (single) {
        by_unit.resize(values.size());
        for (size_t e = 0; e < values.size(); ++e) by_unit[e] = {std::move(values[e])};
      } else {
        by_unit[0] = std::move(values);
      }
      const bool per_token = column.kind == ColumnKind::per_token;
      if (file) columns[name] = column_of(per_token, by_unit);
      keep(name, per_token, begin, size_t(source.units()), std::move(by_unit));
    }
    at += single ? size_t(end - begin) : 1;
    const bool is_end = at == units.size(), is_interrupted = !is_end && interrupted();
    // A disk takes longer to be sure of a line than a small model to answer it.
    const bool is_due = is_end || is_interrupted || Clock::now() - synced_at > std::chrono::seconds(1);
    if (file && setup.check_folder) setup.check_folder();
    if (file)
      file->append(Json{{"next", at}, {"apart", apart}, {"columns", columns}}.dump(-1, ' ', false,
                                                                                   Json::error_handler_t::replace) +
                       "\n",
                   is_due ? Sync::yes : Sync::no);
    if (is_interrupted)
      throw Interrupted(
          fmt::format("{}: interrupted after {} of {} examples were annotated", setup.train->stage, at, units.size()));
    if (!is_due) continue;
    synced_at = Clock::now();
    if (file && !is_end) log::progress(fmt::format("{}: {} of {} annotated", setup.train->stage, at, units.size()));
  }
  log::end_progress();
}

void Annotations::keep(const std::string& name, bool per_token, int64_t begin, size_t of_source,
                       std::vector<std::vector<std::vector<float>>> by_unit) {
  Column& kept = columns_[name];
  kept.per_token = per_token;
  kept.units.resize(of_source);
  std::ranges::move(by_unit, kept.units.begin() + begin);
}

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

// As far as its lines are whole, and follow each other.
Annotations::Done Annotations::read(const std::vector<int64_t>& units, size_t of_source) {
  Done done;
  if (!fs::exists(file_)) return done;
  const MappedFile mapped(file_);
  const std::string_view text = mapped.text();
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    if (!take(json_or_discarded(text.substr(begin, end - begin)), units, of_source, done)) break;
    done.bytes = end + 1;
  }
  return done;
}

bool Annotations::take(const Json& line, const std::vector<int64_t>& units, size_t of_source, Done& done) {
  try {
    const size_t next = line.at("next"), apart = line.at("apart");
    if (next <= done.next || next > units.size()) return false;
    const int64_t begin = units[done.next];
    const size_t count = next - done.next;
    if (size_t(begin) + count > of_source) return false;
    std::map<std::string, Column> columns;
    for (const auto& [name, column] : line.at("columns").items()) {
      Column& to = columns[name];
      to.per_token = column.at("per_token");
      for (const Json& unit : column.at("units")) {
        auto& examples = to.units.emplace_back();
        for (const Json& values : unit)
          if (examples.emplace_back(floats_of(values)).empty() && !to.per_token) return false;
      }
      if (to.units.size() != count) return false;
    }
    for (auto& [name, column] : columns) keep(name, column.per_token, begin, of_source, std::move(column.units));
    done.next = next;
    done.apart = apart;
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

}  // namespace rgm
