// feed.cpp - drawing a step's micro-batches.
#include "train/feed.hpp"

#include <algorithm>
#include <numeric>

#include "base/log.hpp"
#include "base/philox.hpp"
#include "base/text.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {
constexpr uint32_t rollout_draws = 0x2011;  // keeps a rollout's random numbers apart from those of the steps
constexpr int rollouts_in_vain = 10;        // in a row, behind which the stage fails
}  // namespace

Feed::Feed(TrainSetup& setup, void* self) : setup_(setup), self_(self), main_(*setup.sources.at(setup.main_source)) {
  if (!setup.strategy->annotate || !setup.settings.annotates) return;
  require(main_.has_fixed_units(),
          "strategy \"{}\" annotates examples, but windows of a text are cut differently in each epoch: give it rows "
          "(jsonl, json, csv, tsv or parquet)",
          setup.strategy_id);
  annotations_ = std::make_unique<Annotations>(setup, self, main_, setup.main_source, micro_rows(), few_units());
  if (has_held_out())
    held_out_annotations_ =
        std::make_unique<Annotations>(setup, self, *setup.sources.at("validation"), "validation", micro_rows());
}

// Those that the steps draw; none where they draw all. Of a large part with a small share they never do.
std::vector<int64_t> Feed::few_units() const {
  const int64_t draws = steps_of(setup_) * setup_.settings.batch;
  std::vector<bool> is_drawn(size_t(main_.units()));
  int64_t left = main_.units();
  for (int64_t i = 0; i < draws && left > 0; ++i) {
    const auto unit = is_drawn.begin() + main_.unit_at(i, setup_.train->seed);
    left -= !*unit;
    *unit = true;
  }
  std::vector<int64_t> out;
  for (int64_t unit = 0; left > 0 && unit < main_.units(); ++unit)
    if (is_drawn[size_t(unit)]) out.push_back(unit);
  return out;
}

int64_t Feed::micro_rows() const { return rows_at_once(setup_.settings, setup_.train->processes->size()); }

std::vector<Batch*> Feed::next() {
  step_.clear();
  if (setup_.strategy->rollout)
    from_experience();
  else
    from_source();
  tokens_ = 0;
  for (const auto& batch : step_)
    for (const auto& [name, column] : batch->columns)
      if (column.kind == ColumnKind::tokens)
        tokens_ += std::ranges::count_if(column.segments, [](int32_t segment) { return segment != 0; }) -
                   int64_t(column.ends.size());
  return last();
}

std::vector<Batch*> Feed::last() const {
  std::vector<Batch*> out;
  for (const auto& batch : step_) out.push_back(batch.get());
  return out;
}

std::vector<Batch*> Feed::own() const {
  const ProcessGroup& processes = *setup_.train->processes;
  std::vector<Batch*> out;
  for (size_t i = size_t(processes.rank()); i < step_.size(); i += size_t(processes.size()))
    out.push_back(step_[i].get());
  return out;
}

void Feed::from_source() {
  const int64_t rows = micro_rows();
  for (int64_t done = 0; done < setup_.settings.batch; done += rows) {
    const int64_t count = std::min(rows, setup_.settings.batch - done);
    auto batch = std::make_unique<Batch>(main_.batch(position_ + done, count, setup_.train->seed));
    if (annotations_) {
      std::vector<int64_t> units;
      for (int64_t i = 0; i < count; ++i) units.push_back(main_.unit_at(position_ + done + i, setup_.train->seed));
      annotations_->merge(*batch, units);
    }
    add_extra(*batch, extra_position_ + done, count);
    if (setup_.settings.ensemble > 1) *batch = repeated(*batch, setup_.settings.ensemble, together_columns());
    step_.push_back(std::move(batch));
  }
  position_ += setup_.settings.batch;
  extra_position_ += setup_.settings.batch;
}

// Columns such as `pretrain.text` come from the source `pretrain`, beside the others.
void Feed::add_extra(Batch& batch, int64_t position, int64_t count) {
  for (const auto& [name, source] : setup_.sources) {
    if (name == setup_.main_source || name == "validation") continue;
    Batch more = source->batch(position, count, mix(setup_.train->seed, 0xE7));
    for (auto& [key, column] : more.columns) batch.columns[fmt::format("{}.{}", name, key)] = std::move(column);
  }
}

// What a rollout made of the next prompts; false: nothing to learn from, and no metric counts it.
bool Feed::roll_out() {
  rgm_train& train = *setup_.train;
  Batch prompts = main_.batch(position_, setup_.settings.batch, train.seed);
  position_ += setup_.settings.batch;
  train.batches.clear();
  train.silent.clear();
  train.begin_step({&prompts});
  const auto metrics = train.metrics;
  rgm_experience out{};
  out.struct_size = sizeof out;
  {
    const NoGradient still;
    const RandomScope random({train.seed, uint64_t(train.rollout), 0, rollout_draws});
    const Joint joint(train);
    call_plugin(setup_.strategy_name, "rollout",
                [&] { return setup_.strategy->rollout(self_, &train, &prompts, &out); });
  }
  ++train.rollout;
  if (!out.batch) {
    train.metrics = metrics;
    return false;
  }
  require_of_this_call(train, out.batch, prompts, setup_.strategy_name);
  require(out.batch->examples > 0, "{}: a rollout produced no experience", setup_.strategy_name);
  experience_ = std::make_unique<Batch>(std::move(*out.batch));
  train.batches.clear();
  epochs_ = out.epochs;
  steps_ = out.steps;
  const auto units = int64_t(experience_units().size());
  require(epochs_ > 0 && steps_ > 0, "{}: a rollout asks for {} epochs of {} steps; at least one of each is needed",
          setup_.strategy_name, epochs_, steps_);
  require(steps_ <= units,
          "{}: a rollout asks for {} optimizer steps over {} examples (or groups of them); use fewer steps, or a "
          "larger batch of prompts",
          setup_.strategy_name, steps_, units);
  used_ = 0;
  return true;
}

// One without a score is bad luck, many in a row are a reward that does not work.
void Feed::make_experience() {
  const rgm_train& train = *setup_.train;
  for (int left_out = 0; !roll_out();) {
    const std::vector<std::string> silent(train.silent.begin(), train.silent.end());
    const std::string why =
        silent.empty() ? "it has nothing to learn from"
                       : fmt::format("none of its answers has a score from reward \"{}\"", join(silent, "\", \""));
    if (++left_out == rollouts_in_vain)
      failure("{}: {} rollouts in a row were left out, the last one because {}: see {}", train.stage, left_out, why,
              train.rewards.empty() ? "what the strategy wants of its data and options"
                                    : "what the reward says of such answers");
    log::end_progress();
    log::warning("{}: rollout {} is left out, and no step learns from it, because {}", train.stage, train.rollout, why);
  }
}

void Feed::from_experience() {
  const rgm_train& train = *setup_.train;
  if (!experience_ || used_ >= epochs_ * steps_) make_experience();
  // A new order in each epoch; a step takes its share of it. Groups stay whole.
  const std::vector<std::vector<int64_t>> units = experience_units();
  const int64_t n = int64_t(units.size()), epoch = used_ / steps_, part = used_ % steps_;
  const int64_t begin = n * part / steps_, end = n * (part + 1) / steps_;
  const int64_t rows = rows_at_once(end - begin, setup_.settings.micro_batch, train.processes->size());
  for (int64_t at = begin; at < end; at += rows) {
    std::vector<int64_t> examples;
    for (int64_t i = at; i < std::min(end, at + rows); ++i) {
      const auto& unit = units[size_t(permuted(i, n, mix(train.seed, uint64_t(train.rollout), uint32_t(epoch))))];
      examples.insert(examples.end(), unit.begin(), unit.end());
    }
    auto batch = std::make_unique<Batch>(select(*experience_, examples, train.context));
    add_extra(*batch, extra_position_, std::min(rows, end - at));
    extra_position_ += std::min(rows, end - at);
    step_.push_back(std::move(batch));
  }
  ++used_;
}

std::vector<std::string> Feed::together_columns() const {
  std::vector<std::string> out;
  for (const ColumnWish& wish : setup_.train->wishes)
    if (wish.flags & RGM_TOGETHER) out.push_back(wish.name);
  return out;
}

// The examples one by one, or in the groups that a TOGETHER column makes of them.
std::vector<std::vector<int64_t>> Feed::experience_units() const {
  std::vector<std::vector<int64_t>> units;
  for (const auto& [name, column] : experience_->columns) {
    if (column.kind != ColumnKind::integer || !setup_.train->together(name)) continue;
    std::map<int32_t, size_t> groups;
    for (int64_t e = 0; e < experience_->examples; ++e) {
      const auto [found, fresh] = groups.emplace(column.integers[size_t(e)], units.size());
      if (fresh) units.emplace_back();
      units[found->second].push_back(e);
    }
    return units;
  }
  for (int64_t e = 0; e < experience_->examples; ++e) units.push_back({e});
  return units;
}

void Feed::each_held_out(const std::function<void(Batch&)>& see) const {
  const Source& source = *setup_.sources.at("validation");
  for (int64_t begin = 0, rows = micro_rows(); begin < source.units(); begin += rows) {
    const int64_t end = std::min(source.units(), begin + rows);
    Batch batch = source.in_order(begin, end);
    if (held_out_annotations_) {
      std::vector<int64_t> units(size_t(end - begin));
      std::iota(units.begin(), units.end(), begin);
      held_out_annotations_->merge(batch, units);
    }
    if (setup_.settings.ensemble > 1) batch = repeated(batch, setup_.settings.ensemble, together_columns());
    see(batch);
  }
}

nlohmann::json Feed::save(std::vector<SavedArray>& arrays) const {
  nlohmann::json state{
      {"position", position_}, {"extra_position", extra_position_}, {"rollout", setup_.train->rollout}};
  if (experience_) {
    state["experience"] = rgm::save(*experience_, arrays);
    state["epochs"] = epochs_;
    state["steps"] = steps_;
    state["used"] = used_;
  }
  return state;
}

void Feed::load(const nlohmann::json& state, std::span<const SavedArray> arrays) {
  position_ = state.at("position");
  extra_position_ = state.at("extra_position");
  setup_.train->rollout = state.at("rollout");
  if (!state.contains("experience")) return;
  experience_ = std::make_unique<Batch>(rgm::load(state.at("experience"), arrays));
  epochs_ = state.at("epochs");
  steps_ = state.at("steps");
  used_ = state.at("used");
}

}  // namespace rgm
