// micro_batch.cpp - memory grows by nearly the same with each row, so that a straight line through what is known leads
// to the number in a few counts.
#include "pipeline/micro_batch.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "pipeline/memory_need.hpp"

namespace rgm {
namespace {

constexpr int64_t least_counted = 32;  // rows of a counted step: examples differ in length
constexpr int most_by_line = 6;        // counts, behind which what is left is halved

bool is_chosen_here(const Stage& stage) { return stage.micro_batch_auto && stage.micro_batch == 0; }

Stage with_rows(Stage stage, int64_t rows) {
  stage.micro_batch = rows;
  stage.effective["micro_batch"] = rows;
  return stage;
}

// Of a step with parts of so many rows; a part of the batch shows it, as long as there is a second one beside the
// gradients of the first.
std::optional<uint64_t> need_with(const Stage& stage, int64_t rows, size_t index, const Surroundings& around,
                                  const MemoryRoom& room) {
  Stage counted = with_rows(stage, rows);
  counted.batch = std::min(stage.batch, std::max(2 * rows, least_counted));
  const auto need = memory_need(counted, index, around, room);
  return need ? std::optional(need->bytes) : std::nullopt;
}

std::string told(const Stage& stage, int64_t rows) {
  return fmt::format("stage {}: micro_batch: auto takes {} of {} rows at once", stage.name, rows, stage.batch);
}

fs::path file_of(const Stage& stage, const Surroundings& around) { return around.run / stage.name / chosen_file; }

nlohmann::json chosen_before(const fs::path& file) {
  if (!fs::exists(file)) return nlohmann::json::object();
  nlohmann::json out = json_or_discarded(read_file(file));
  return out.is_object() ? out : nlohmann::json::object();
}

}  // namespace

int64_t rows_within(double most, int64_t batch, const std::function<std::optional<uint64_t>(int64_t)>& need) {
  const auto bytes = [&](int64_t rows) {
    const auto counted = need(rows);
    return counted ? std::optional(static_cast<double>(*counted)) : std::nullopt;
  };
  const auto all = bytes(batch);
  if (!all || *all <= most || batch == 1) return batch;
  const auto one = bytes(1);
  if (!one || *one > most) return 1;
  struct Count {
    int64_t rows;
    double bytes;
  } fits{1, *one}, is_too_much{batch, *all};
  for (int counts = 0; is_too_much.rows - fits.rows > 1; ++counts) {
    const auto between = static_cast<double>(is_too_much.rows - fits.rows);
    const double share = counts < most_by_line ? (most - fits.bytes) / (is_too_much.bytes - fits.bytes) : 0.5;
    const int64_t rows =
        std::clamp(fits.rows + static_cast<int64_t>(share * between), fits.rows + 1, is_too_much.rows - 1);
    const auto counted = bytes(rows);
    const Count now{rows, counted.value_or(most + 1)};
    (now.bytes <= most ? fits : is_too_much) = now;
  }
  return fits.rows;
}

Stage with_rows_at_once(const Stage& stage, size_t index, const Surroundings& around) {
  if (!is_chosen_here(stage)) return stage;
  const MemoryRoom room = memory_room(current_device());
  const int64_t all = rows_at_once(stage.batch, 0, around.sharing());
  if (room.bytes == 0) return with_rows(stage, all);
  const double most = wanted_share * static_cast<double>(room.bytes);
  const int64_t rows =
      rows_within(most, all, [&](int64_t rows) { return need_with(stage, rows, index, around, room); });
  log::info("{}, as {} is free{}", told(stage, rows), bytes_for_people(room.bytes),
            room.is_machines ? "" : " on the device");
  return with_rows(stage, rows);
}

static Stage with_rows_kept(const Stage& stage, size_t index, const Surroundings& around,
                            const std::string& training_sha256) {
  const fs::path file = file_of(stage, around);
  nlohmann::json all = chosen_before(file);
  const auto known = all.find(training_sha256);
  if (known != all.end() && known->is_number_integer() && *known >= 1 && *known <= stage.batch) {
    log::info("{}, as before", told(stage, known->get<int64_t>()));
    return with_rows(stage, *known);
  }
  Stage out = with_rows_at_once(stage, index, around);
  all[training_sha256] = out.micro_batch;
  write_file(file, all.dump(1) + '\n');
  return out;
}

Stage with_rows_of_run(const Stage& stage, size_t index, const Surroundings& around,
                       const std::string& training_sha256) {
  if (!is_chosen_here(stage)) return stage;
  const std::string rows = from_first(*around.processes, [&] {
    return std::to_string(with_rows_kept(stage, index, around, training_sha256).micro_batch);
  });
  return with_rows(stage, std::stoll(rows));
}

}  // namespace rgm
