// annotations.cpp - one pass over the data, in which annotate answers for all examples.
#include "train/annotations.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <optional>

#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/sha256.hpp"
#include "tensor/tape.hpp"
#include "train/annotations_file.hpp"

namespace rgm {
namespace {

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

// What annotate has added to the batch. `single`: each of its examples is a unit; otherwise all of them are one.
std::map<std::string, AnnotatedColumn> added_columns(const Batch& batch,
                                                     const std::map<std::string, const void*>& before, bool single,
                                                     const std::string& strategy) {
  std::map<std::string, AnnotatedColumn> out;
  for (const auto& [name, column] : batch.columns) {
    if (const auto old = before.find(name); old != before.end()) {
      require(old->second == values_of(column),
              "{}: annotate changes the column \"{}\" of the data; it may only add columns", strategy, name);
      continue;
    }
    require(column.kind == ColumnKind::real || column.kind == ColumnKind::per_token,
            "{}: annotate adds the column \"{}\", which holds no real numbers; only those are kept", strategy, name);
    AnnotatedColumn& added = out[name];
    added.per_token = column.kind == ColumnKind::per_token;
    auto values = by_example(batch, name, column);
    if (single)
      for (auto& value : values) added.units.push_back({std::move(value)});
    else
      added.units.push_back(std::move(values));
  }
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
    compute(setup, self, source, rows, units, {}, nullptr);
    return;
  }
  file_ = annotations_path(setup.folder, name, sha256(setup.training_sha256 + source.sha256()));
  ProcessGroup& processes = *setup.train->processes;
  if (setup.check_folder) setup.check_folder();
  fs::create_directories(file_.parent_path());
  Done done;
  const std::vector<std::string> read_by_all = from_each(processes, [&] {
    done = read(units, size_t(source.units()));
    return std::to_string(done.next);
  });
  for (size_t rank = 0; rank < read_by_all.size(); ++rank)
    require(
        read_by_all[rank] == read_by_all[0],
        "{}: process {} sees {} annotated examples there, and process 0 {}: all processes have to share that folder",
        file_.string(), rank, read_by_all[rank], read_by_all[0]);
  if (done.next < units.size()) {
    log::info("{}: annotating {} examples{}", setup.train->stage, units.size(),
              done.next == 0 ? "" : fmt::format(", of which {} are done", done.next));
    std::optional<AppendedFile> out;
    if (is_first(processes)) out.emplace(file_, done.bytes);
    compute(setup, self, source, rows, units, done, out ? &*out : nullptr);
  }
  if (!is_first(processes)) return;
  // Used just now, also where nothing was written. Beside these stay those that were used before, as their checkpoint
  // waits for its settings.
  std::error_code ignored;
  fs::last_write_time(file_, fs::file_time_type::clock::now(), ignored);
  remove_older_annotations(setup.folder, 2);
}

// One unit after the other would waste the device; so `rows` at once where each of them is one example.
Annotations::Call Annotations::next_call(const Source& source, int64_t rows, const std::vector<int64_t>& units,
                                         Done& done) {
  const size_t at = done.next;
  const int64_t begin = units[at];
  int64_t end = begin + 1;
  while (at >= done.apart && end < begin + rows && at + size_t(end - begin) < units.size() &&
         units[at + size_t(end - begin)] == end)
    ++end;
  Call call{source.in_order(begin, end), begin, true};
  call.single = call.batch.examples == end - begin;
  if (!call.single && end > begin + 1)
    done.apart = at + size_t(end - begin), call.batch = source.in_order(begin, begin + 1);
  done.next += call.single ? size_t(end - begin) : 1;
  return call;
}

std::map<std::string, AnnotatedColumn> Annotations::answer_to(Call& call, const TrainSetup& setup, void* self) {
  std::map<std::string, const void*> before;
  for (const auto& [name, column] : call.batch.columns) before.emplace(name, values_of(column));
  setup.train->begin_step({&call.batch});
  const RandomScope random({setup.train->seed, uint64_t(call.begin), 0, annotation_draws});
  call_plugin(setup.strategy_name, "annotate",
              [&] { return setup.strategy->annotate(self, setup.train, &call.batch); });
  return added_columns(call.batch, before, call.single, setup.strategy_name);
}

// Processes take turns with the calls, and everyone has all answers.
void Annotations::compute(TrainSetup& setup, void* self, const Source& source, int64_t rows,
                          const std::vector<int64_t>& units, Done done, AppendedFile* file) {
  const NoGradient still;
  ProcessGroup& processes = *setup.train->processes;
  const size_t of_source = size_t(source.units());
  auto synced_at = Clock::now();
  while (done.next < units.size()) {
    Done kept = done;
    int64_t own_begin = 0;
    size_t own_end = 0;
    std::map<std::string, AnnotatedColumn> own;
    const std::vector<std::string> lines = from_each(processes, [&] {
      std::string line;
      for (int turn = 0; turn < processes.size() && done.next < units.size(); ++turn) {
        Call call = next_call(source, rows, units, done);
        if (turn != processes.rank()) continue;
        own_begin = call.begin, own_end = done.next;
        own = answer_to(call, setup, self);
        line = annotations_line(done.next, done.apart, own);
      }
      return line;
    });
    const bool is_end = done.next == units.size(), is_interrupted = !is_end && any_of_them(processes, interrupted());
    // A disk takes longer to be sure of a line than a small model to answer it.
    const bool is_due = is_end || is_interrupted || Clock::now() - synced_at > std::chrono::seconds(1);
    if (file && setup.check_folder) setup.check_folder();
    if (file) file->append(fmt::format("{}", fmt::join(lines, "")), is_due ? Sync::yes : Sync::no);
    for (size_t rank = 0; rank < lines.size(); ++rank)
      if (int(rank) == processes.rank())
        kept.next = std::max(kept.next, own_end);
      else if (!lines[rank].empty())
        require(take(json_or_discarded(lines[rank]), units, of_source, kept),
                "{}: what process {} has annotated does not follow what is there", setup.train->stage, rank);
    for (auto& [name, column] : own) keep(name, own_begin, of_source, std::move(column));
    if (is_interrupted)
      throw Interrupted(fmt::format("{}: interrupted after {} of {} examples were annotated", setup.train->stage,
                                    done.next, units.size()));
    if (!is_due) continue;
    synced_at = Clock::now();
    if (file && !is_end)
      log::progress(fmt::format("{}: {} of {} annotated", setup.train->stage, done.next, units.size()));
  }
  log::end_progress();
}

void Annotations::keep(const std::string& name, int64_t begin, size_t of_source, AnnotatedColumn added) {
  AnnotatedColumn& kept = columns_[name];
  kept.per_token = added.per_token;
  kept.units.resize(of_source);
  std::ranges::move(added.units, kept.units.begin() + begin);
}

}  // namespace rgm
