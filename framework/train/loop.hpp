// loop.hpp - the loop of a stage. Everything in it is a function of the step's number, so going on after a checkpoint
// gives the bits of a run that was never interrupted. loop.cpp has the steps, loop_evaluate.cpp what is measured and
// shown, loop_held_out.cpp the passes over held-out data and questions, loop_best.cpp which of it is the best,
// loop_resume.cpp the way to a checkpoint and back.
#pragma once
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "artefact/checkpoint.hpp"
#include "tensor/plugin_call.hpp"
#include "train/average.hpp"
#include "train/feed.hpp"
#include "train/gradient_sum.hpp"
#include "train/optimizer.hpp"
#include "train/progress.hpp"
#include "train/step_gradients.hpp"
#include "train/trainer.hpp"

namespace rgm {

class Loop {
 public:
  Loop(TrainSetup& setup, void* self);
  TrainResult run();

 private:
  using Clock = std::chrono::steady_clock;
  struct Stopped {};  // a signal came in the middle of something that can be done again

  bool one_step();
  void check_schedule() const;
  bool is_out_of_patience() const;
  void tell_out_of_patience();
  void drop_step();
  void end_early(const std::string& reason);
  void learn(double rate);
  std::optional<PluginError> end_in(const std::function<void()>& call) const;
  [[noreturn]] void end_in_all(const std::optional<PluginError>& ended);
  void add_up();
  bool is_to_stop() const;
  bool is_late() const;
  size_t number_of(size_t own) const;
  void tell_step();
  void log_step();
  double rate() const;
  void require_finite();
  [[noreturn]] void not_finite(int64_t step, const std::string& what);
  std::string first_broken_of_last_batches();
  [[noreturn]] void out_of_memory(const char* what);
  Tensor loss_of(size_t micro_batch, Batch* batch);
  Tensor trained_loss_of(size_t micro_batch, Batch* batch);
  void stop_with_checkpoint();

  bool evaluation_is_due() const;
  void evaluate();
  void evaluate_kept();
  Tensor held_out_loss();
  bool deals_held_out() const;
  ChoiceScore score_of_choices();
  Numbers choice_numbers();
  void keep_shown();
  void gather_shown();
  void judge(const Numbers& numbers, const std::set<std::string>& names);
  void tell_unjudged(const std::set<std::string>& names);
  bool keeps_best() const;
  void take_samples();
  void sample_at_first();
  void finish();

  std::optional<Checkpoint> own_checkpoint();
  std::optional<Checkpoint> same_checkpoint();
  void restore_metrics(const nlohmann::json& state);
  void resume();
  void checkpoint();

  TrainSetup& setup_;
  rgm_train& train_;
  void* self_;
  Checkpoints checkpoints_;
  Feed feed_;
  StepGradients gradients_;
  GradientSum sum_;
  GradientSum::Said said_;  // of the last step, by all processes
  Optimizer optimizer_;
  Average average_;
  int64_t steps_, evaluate_every_, step_ = 0, tokens_ = 0;
  int64_t logged_at_ = 0, evaluated_at_ = 0;
  Tensor loss_, norm_;
  double last_loss_ = NAN;
  bool warned_of_zero_ = false;
  std::map<std::string, double> evaluated_;       // the last of every number
  std::map<std::string, double> best_evaluated_;  // those of the best step, with keep: best or patience
  double best_ = INFINITY;                        // the number that these are judged by: the lower, the better
  int64_t best_step_ = 0, not_better_ = 0;        // not_better_: evaluations since then
  double seconds_before_ = 0;                     // in processes that were interrupted
  double train_seconds_ = 0, evaluate_seconds_ = 0, checkpoint_seconds_ = 0, sample_seconds_ = 0;
  std::optional<Progress> progress_;
  Clock::time_point last_checkpoint_;
  TrainResult result_;
};

// What loss answered is one number; else the message names `strategy`.
void require_scalar(const Tensor& loss, const std::string& strategy);

class Stopwatch {  // adds the time it lives to a timing
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace rgm
