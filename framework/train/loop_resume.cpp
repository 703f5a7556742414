// loop_resume.cpp - the loop's own numbers on their way into a checkpoint and back.
#include "base/log.hpp"
#include "tensor/ops.hpp"
#include "train/differences.hpp"
#include "train/loop.hpp"
#include "train/saved_state.hpp"

namespace rgm {
namespace {

nlohmann::json finite_or_null(double x) { return std::isfinite(x) ? nlohmann::json(x) : nlohmann::json(); }
double number_or(const nlohmann::json& x, double otherwise) { return x.is_number() ? x.get<double>() : otherwise; }
// JSON has no number for what is none.
std::map<std::string, double> numbers_of(const nlohmann::json& x) {
  std::map<std::string, double> out;
  for (const auto& [name, value] : x.items()) out[name] = number_or(value, NAN);
  return out;
}

std::string owner_of(const Checkpoint& checkpoint) {
  const auto found = checkpoint.state.find("inputs");
  return found != checkpoint.state.end() && found->is_string() ? found->get<std::string>() : "";
}

// What stands beside the checkpoints and is of the same steps.
std::vector<fs::path> files_beside(const fs::path& folder) {
  std::vector<fs::path> out = {folder / "best.safetensors", folder / "metrics.jsonl"};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) out.push_back(entry.path());
  return out;
}

std::string what_differs(const nlohmann::json& state, const nlohmann::json& now) {
  const auto before = state.find("made_of");
  const std::string named = before == state.end() ? "" : differences_for_people(*before, now);
  return named.empty() ? "it does not say which" : named;
}

}  // namespace

void Loop::checkpoint() {
  const Stopwatch watch(checkpoint_seconds_);
  ProcessGroup& processes = *train_.processes;
  if (setup_.check_folder) setup_.check_folder();
  if (loss_) {
    last_loss_ = item(loss_);
    require_finite();
  }
  const std::vector<nlohmann::json> metrics = train_.sums_of_metrics();
  const nlohmann::json more{{"tokens", tokens_},
                            {"steps", steps_},
                            {"seconds", seconds_before_ + progress_->seconds()},
                            {"timings", {train_seconds_, evaluate_seconds_, checkpoint_seconds_, sample_seconds_}},
                            {"loss", finite_or_null(last_loss_)},
                            {"metrics", metrics.size() == 1 ? metrics[0] : nlohmann::json(metrics)},
                            {"evaluated", evaluated_},
                            {"evaluated_at", evaluated_at_},
                            {"best", finite_or_null(best_)},
                            {"best_step", best_step_},
                            {"not_better", not_better_},
                            {"best_evaluated", best_evaluated_},
                            {"report", train_.report},
                            {"samples", result_.samples}};
  from_first(processes, [&] {
    save_state(checkpoints_, step_, more, setup_, optimizer_, average_, feed_);
    return std::string();
  });
  last_checkpoint_ = Clock::now();
}

// The newest checkpoint of these settings. That of others waits for its own, as it may be all that hours have left.
std::optional<Checkpoint> Loop::own_checkpoint() {
  if (setup_.check_folder) setup_.check_folder();  // those of another run are not to be moved
  const std::string& own = setup_.training_sha256;
  auto found = checkpoints_.newest();
  fs::path aside;
  if (found && owner_of(*found) != own) {
    aside = checkpoints_.set_aside(owner_of(*found), files_beside(setup_.folder));
    log::info(
        "{}: the checkpoint of step {} was made with other settings, data or threads: {}. It is kept in {} until the "
        "stage is done: with the earlier ones again, the stage continues from it",
        train_.stage, found->step, what_differs(found->state, setup_.training_inputs), aside.string());
    found.reset();
  }
  std::error_code ignored;
  if (!found)
    for (const fs::path& file : files_beside(setup_.folder)) fs::remove(file, ignored);
  if (checkpoints_.take_back(own)) found = checkpoints_.newest();
  if (!aside.empty()) checkpoints_.remove_aside_but(aside);
  if (!aside.empty() && !found) log::info("{}: starting over", train_.stage);
  return found;
}

// What the first process goes on from, all do.
std::optional<Checkpoint> Loop::same_checkpoint() {
  ProcessGroup& processes = *train_.processes;
  std::optional<Checkpoint> found;
  const std::string step = from_first(processes, [&] {
    found = own_checkpoint();
    if (found && owner_of(*found) != setup_.training_sha256) found.reset();
    return found ? fmt::format("{}", found->step) : std::string();
  });
  from_each(processes, [&] {
    if (!is_first(processes) && !step.empty()) found = checkpoints_.newest();
    require(!found || step == fmt::format("{}", found->step),
            "{}: the checkpoint of step {} in {} is not what process {} sees there: all processes have to share that "
            "folder",
            train_.stage, step, (setup_.folder / "checkpoint").string(), processes.rank());
    return std::string();
  });
  return found;
}

// Each has its own again; of another number of processes the first one has all.
void Loop::restore_metrics(const nlohmann::json& state) {
  const NoGradient still;
  const auto rank = size_t(train_.processes->rank()), size = size_t(train_.processes->size());
  const std::vector<nlohmann::json> parts =
      state.is_array() ? state.get<std::vector<nlohmann::json>>() : std::vector<nlohmann::json>{state};
  std::map<std::string, std::pair<double, double>> sums;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts.size() == size ? i != rank : rank != 0) continue;
    for (const auto& [name, metric] : parts[i].items()) {
      sums[name].first += number_or(metric.at(0), NAN);
      sums[name].second += number_or(metric.at(1), NAN);
    }
  }
  for (const auto& [name, sum] : sums) train_.metrics[name] = {ops::full({}, sum.first), ops::full({}, sum.second)};
}

void Loop::resume() {
  const auto checkpoint = same_checkpoint();
  if (!checkpoint) return;
  const nlohmann::json& state = checkpoint->state;
  load_state(*checkpoint, setup_, optimizer_, average_, feed_);
  step_ = checkpoint->step;
  tokens_ = state.at("tokens");
  steps_ = state.value("steps", steps_);  // fewer than the settings say where the strategy has ended the stage
  seconds_before_ = state.at("seconds");
  const nlohmann::json& timings = state.at("timings");
  train_seconds_ = timings.at(0);
  evaluate_seconds_ = timings.at(1);
  checkpoint_seconds_ = timings.at(2);
  sample_seconds_ = timings.at(3);
  last_loss_ = number_or(state.at("loss"), NAN);
  restore_metrics(state.at("metrics"));
  evaluated_ = numbers_of(state.at("evaluated"));
  evaluated_at_ = state.at("evaluated_at");
  best_ = number_or(state.at("best"), INFINITY);
  best_step_ = state.at("best_step");
  not_better_ = state.value("not_better", int64_t{0});
  best_evaluated_ = numbers_of(state.at("best_evaluated"));
  train_.report = state.at("report");
  result_.samples = state.value("samples", nlohmann::json::array());
  log::info("{}: resumed at step {}", train_.stage, step_);
}

}  // namespace rgm
