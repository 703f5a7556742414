// rows.cpp - rollouts of a strategy without a loss, written batch by batch; a batch counts when all its rows are there.
#include "train/rows.hpp"

#include <chrono>
#include <cmath>

#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "data/rows.hpp"
#include "tensor/ops.hpp"
#include "tensor/tape.hpp"
#include "train/rows_state.hpp"

namespace rgm {
namespace {

// Where an example's tokens lie among all of a packed column.
std::pair<int64_t, int64_t> places_of(const BatchColumn& tokens, size_t example) {
  const int64_t end = tokens.ends[example] + 1;
  int64_t begin = end - 1;
  while (begin % tokens.length > 0 && tokens.segments[static_cast<size_t>(begin - 1)] == int64_t(example) + 1) --begin;
  return {begin, end};
}

// The example as a JSON object: texts and numbers; token columns as their text.
nlohmann::json row_of(const Batch& batch, int64_t example, const Tokenizer& tokenizer) {
  nlohmann::json row = nlohmann::json::object();
  const auto e = size_t(example);
  for (const auto& [name, column] : batch.columns) {
    switch (column.kind) {
      case ColumnKind::text: row[name] = column.texts[e]; break;
      case ColumnKind::integer: row[name] = column.integers[e]; break;
      case ColumnKind::real: row[name] = column.reals[e]; break;
      case ColumnKind::tokens: {
        const auto [begin, end] = places_of(column, e);
        row[name] = tokenizer.decode(std::span(column.integers).subspan(size_t(begin), size_t(end - begin)));
        break;
      }
      case ColumnKind::per_token: {
        const auto [begin, end] = places_of(batch.columns.at(tokens_of(batch, name)), e);
        row[name] = std::vector<float>(column.reals.begin() + begin, column.reals.begin() + end);
        break;
      }
    }
  }
  return row;
}

using Json = nlohmann::json;

// Sums and counts of the metrics, which are over all rows.
Json sums_of(const rgm_train& train) {
  Json out = Json::object();
  for (const auto& [name, m] : train.metrics) out[name] = {item(m.sum), item(m.count)};
  return out;
}
void restore(const Json& state, rgm_train& train) {
  const auto number = [](const Json& x) { return x.is_number() ? x.get<double>() : NAN; };
  for (const auto& [name, m] : state.items())
    train.metrics[name] = {ops::full({}, number(m.at(0))), ops::full({}, number(m.at(1)))};
}

ColumnKind kind_of(const Row& value) {
  return value.is_string()                      ? ColumnKind::text
         : value.is_number_integer()            ? ColumnKind::integer
         : value.is_number() || value.is_null() ? ColumnKind::real
                                                : ColumnKind::per_token;
}

// The rows of a file as a batch; what is neither text nor number is left out. Real numbers may happen to be whole.
Batch rows_of(const fs::path& file, const std::string& strategy) {
  constexpr const char* same =
      "conclude reads all rows as one batch, so rollout has to return the same columns each time; its author has to "
      "correct it";
  Batch out;
  each_row(file, "jsonl", false, [&](Row& row, const std::string& where) {
    for (const auto& entry : out.columns)
      require(row.contains(entry.first), "{}: {}: the row has no \"{}\", which the rows before it have: {}", strategy,
              where, entry.first, same);
    for (const auto& [name, value] : row.items()) {
      const ColumnKind kind = kind_of(value);
      require(out.examples == 0 || out.columns.contains(name),
              "{}: {}: the row has \"{}\", which the rows before it lack: {}", strategy, where, name, same);
      BatchColumn& column = out.columns.try_emplace(name, BatchColumn{.kind = kind}).first->second;
      if (column.kind == ColumnKind::integer && kind == ColumnKind::real) {
        column.reals.assign(column.integers.begin(), column.integers.end());
        column.integers.clear();
        column.kind = kind;
      }
      require(column.kind == kind || (column.kind == ColumnKind::real && kind == ColumnKind::integer),
              "{}: {}: \"{}\" is a {} here, but not in the rows before: {}", strategy, where, name, value.type_name(),
              same);
      if (column.kind == ColumnKind::text) column.texts.push_back(value.get<std::string>());
      if (column.kind == ColumnKind::integer) column.integers.push_back(value.get<int32_t>());
      if (column.kind == ColumnKind::real) column.reals.push_back(value.is_number() ? value.get<float>() : NAN);
    }
    ++out.examples;
  });
  std::erase_if(out.columns, [](const auto& c) { return c.second.kind == ColumnKind::per_token; });
  return out;
}

}  // namespace

TrainResult write_rows(TrainSetup& setup, void* self) {
  rgm_train& train = *setup.train;
  const Source& source = *setup.sources.at(setup.main_source);
  const fs::path rows_file = setup.folder / "rows.jsonl";
  if (setup.check_folder) setup.check_folder();
  fs::create_directories(setup.folder);
  int64_t done = 0, rows = 0;
  uintmax_t bytes = 0;
  double seconds_before = 0;  // in processes that were interrupted
  const RowsState kept(setup);
  if (const Json state = kept.read(); !state.empty()) {
    done = state.at("units");
    rows = state.at("rows");
    bytes = state.at("bytes").get<uintmax_t>();
    seconds_before = state.value("seconds", 0.0);
    restore(state.value("metrics", Json::object()), train);
    train.report = state.value("report", train.report);
    if (done > 0) log::info("{}: resumed at example {}", train.stage, done);
  }
  AppendedFile out_file(rows_file, bytes);  // without the rows of a batch that was not finished
  const NoGradient still;
  const auto began = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return seconds_before + std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  // Synced once a second, as a disk takes longer to be sure of a batch than a small model to answer one.
  auto synced_at = began - std::chrono::hours(1);
  for (const int64_t total = source.units(); done < total;) {
    const int64_t end = std::min(total, done + setup.settings.batch);
    Batch prompts = source.in_order(done, end);
    train.rollout = done;
    train.begin_step({&prompts});
    rgm_experience out{};
    out.struct_size = sizeof out;
    const RandomScope random({train.seed, uint64_t(done), 0, 0});
    try {
      call_plugin(setup.strategy_name, "rollout",
                  [&] { return setup.strategy->rollout(self, &train, &prompts, &out); });
    } catch (const Error&) {
      if (!train.interruption.empty()) throw Interrupted(train.interruption);
      throw;
    }
    require_of_this_call(train, out.batch, prompts, setup.strategy_name);
    std::string text;
    if (out.batch)
      for (int64_t e = 0; e < out.batch->examples; ++e, ++rows)
        text += row_of(*out.batch, e, *train.policy->tokenizer())
                    .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                "\n";
    train.batches.clear();
    bytes += text.size();
    done = end;
    const auto now = std::chrono::steady_clock::now();
    const Sync sync =
        done == total || interrupted() || now - synced_at > std::chrono::seconds(1) ? Sync::yes : Sync::no;
    if (sync == Sync::yes) synced_at = now;
    if (setup.check_folder) setup.check_folder();
    out_file.append(text, sync);
    kept.write({{"units", done},
                {"rows", rows},
                {"bytes", bytes},
                {"seconds", seconds()},
                {"metrics", sums_of(train)},
                {"report", train.report}},
               sync);
    log::progress(fmt::format("{}: {} of {} examples", train.stage, done, total));
    if (interrupted() && done < total)
      throw Interrupted(fmt::format("{}: interrupted after {} examples", train.stage, done));
  }
  log::end_progress();
  if (RGM_HAS(setup.strategy, conclude)) {
    Batch all = rows_of(rows_file, setup.strategy_name);
    call_plugin(setup.strategy_name, "conclude", [&] { return setup.strategy->conclude(self, &train, &all); });
  }
  TrainResult result;
  result.result = train.report;
  result.result["rows"] = rows;
  result.result["seconds"] = seconds();
  for (const auto& [name, value] : train.read_metrics()) result.result[name] = value;
  return result;
}

}  // namespace rgm
