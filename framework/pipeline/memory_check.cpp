// memory_check.cpp - whether a stage may be too large for the machine, and what would make it fit.
#include "pipeline/memory_check.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "pipeline/memory_need.hpp"

namespace rgm {
namespace {

// The most rows at once that fit, by a straight line through two counts; 0 where one row does not.
int64_t rows_that_fit(const MemoryNeed& all, const MemoryNeed& half, uint64_t free) {
  if (half.rows >= all.rows || half.bytes >= all.bytes) return 0;
  const double a_row = static_cast<double>(all.bytes - half.bytes) / static_cast<double>(all.rows - half.rows);
  const double rest = static_cast<double>(half.bytes) - a_row * static_cast<double>(half.rows);
  const double rows = (wanted_share * static_cast<double>(free) - rest) / a_row;
  return rows < 1 ? 0 : std::min(all.rows - 1, static_cast<int64_t>(rows));
}

// As many as divide the batch, so that all micro-batches are of one size; any where that costs more than half.
int64_t even(int64_t fitting, int64_t batch) {
  for (int64_t n = fitting; 2 * n > fitting; --n)
    if (batch % n == 0) return n;
  return fitting;
}

}  // namespace

void check_memory(const Stage& given, size_t index, const Surroundings& around) {
  const auto& strategy = given.strategy.component->table<rgm_strategy>();
  if (strategy.rollout || !strategy.loss) return;
  const MemoryRoom room = memory_room(*share_current_device());
  Stage stage = given;
  stage.micro_batch = rows_at_once(stage, around.sharing());
  const uint64_t free = room.bytes;
  const auto need = free ? memory_need(stage, index, around, room) : std::nullopt;
  if (!need || need->bytes <= free) return;

  const uint64_t held = need->weights + need->training;
  const std::string text = fmt::format(
      "stage {} needs about {} of memory, and {} is free{}: weights {}, {} {}, {} for what is kept "
      "of {} rows at once",
      stage.name, bytes_for_people(need->bytes), bytes_for_people(free), room.is_machines ? "" : " on the device",
      bytes_for_people(need->weights), stage.average > 0 ? "gradients, moments and average" : "gradients and moments",
      bytes_for_people(need->training), bytes_for_people(need->bytes - std::min(need->bytes, held)),
      count_for_people(static_cast<uint64_t>(need->rows)));
  Stage smaller = stage;
  smaller.batch = smaller.micro_batch = need->rows / 2;
  const auto half = smaller.batch ? memory_need(smaller, index, around, room) : std::nullopt;
  if (const int64_t fitting = half ? rows_that_fit(*need, *half, free) : 0; fitting > 0)
    invalid("{}. With fewer rows at once the steps stay the same: --set stages.{}.micro_batch={}", text, stage.name,
            even(fitting, stage.batch));
  invalid(
      "{}. Even one row at a time is too much: use a smaller model, set a smaller length, or train less of the model, "
      "as with `trainable: {{last: 2}}` or an adapter",
      text);
}

}  // namespace rgm
