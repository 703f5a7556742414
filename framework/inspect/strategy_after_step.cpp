// strategy_after_step.cpp - what a strategy does between two steps: does it move what follows the policy, does it pass
// a refusal on, and does it leave nothing behind?
#include "base/text.hpp"
#include "inspect/strategy_trial.hpp"
#include "tensor/ops.hpp"
#include "tensor/plugin_call.hpp"
#include "train/feed.hpp"
#include "train/loop.hpp"

namespace rgm::inspect {
namespace {

constexpr int64_t most_steps = 100;  // within which a role that follows has to move, to be judged

// Steps on the same data. In each the policy's weights grow by a hundredth, so that what follows has a way to go.
class Steps {
 public:
  Steps(const Opened& opened, const Trial& trial) : opened_(opened), prepared_(opened, trial) {
    for (const auto& [name, follower] : train_.followers) role(train_, name);
    train_.close_scopes();
    opened.at("rollout and annotate");
    batches_ = feed_.next();
  }

  // Calls after_step for one more step, as the loop does; throws what went wrong.
  void next() {
    learn();
    const int refused = Opened::follows_refused();
    call_plugin(setup_.strategy_name, "after_step", [&] { return call(step_); });
    require(Opened::follows_refused() == refused, hides_refusal, "after_step");
  }
  // The same where the host refuses follow: no step is being told.
  void next_refused(Refusals& seen) {
    learn();
    const int refused = Opened::follows_refused(), answered = seen.answered;
    const std::string what = fmt::format("after_step of step {}, where follow is refused", step_);
    try_nonsense(opened_, seen, what, [&](rgm_tensor**) { return call(0); });
    if (Opened::follows_refused() != refused && seen.answered != answered)
      seen.wrong.push_back(fmt::format(hides_refusal, what));
  }
  // The weights of each role that follows.
  std::map<std::string, std::vector<float>> weights() const {
    std::map<std::string, std::vector<float>> out;
    for (const auto& [name, follower] : train_.followers)
      follower.visit([&values = out[name]](size_t, const Parameter&, const Parameter& own) {
        const std::vector<float> more = to_host(own.value);
        values.insert(values.end(), more.begin(), more.end());
      });
    return out;
  }
  void destroy() {
    opened_.at("destroy");
    setup_.strategy->destroy(std::exchange(prepared_.self, nullptr));
  }
  int64_t done() const { return step_; }

 private:
  static constexpr const char* hides_refusal =
      "{}: follow was refused, and it says that all is well: answer the status that follow gave";

  void learn() {
    train_.begin_step(batches_);
    ++step_;
    for (size_t i = 0; i < batches_.size(); ++i) {
      const RandomScope random({1, uint64_t(step_), uint32_t(i), 0});
      rgm_tensor* answer = nullptr;
      opened_.at("loss");
      check_status(setup_.strategy->loss(prepared_.self, &train_, batches_[i], &answer));
      require_scalar(Tensor::adopt(answer), setup_.strategy_name);
      train_.batches.clear();
    }
    const NoGradient still;
    for (const Parameter& p : train_.policy->parameters().all())
      if (p.trained) assign(p.value, 1.01 * p.value);
    opened_.at(fmt::format("after_step of step {}", step_));
  }
  rgm_status call(int64_t told) {
    struct Ended {
      Steps& steps;
      ~Ended() {
        steps.train_.after_step = 0;
        steps.train_.batches.clear();
        steps.train_.metrics.clear();
        for (Batch* batch : steps.batches_) batch->uploaded.clear();
      }
    } const ended{*this};
    const NoGradient still;
    const RandomScope random({2, uint64_t(step_), 0, 0});
    train_.after_step = told;
    return setup_.strategy->after_step(prepared_.self, &train_, step_);
  }

  const Opened& opened_;
  Prepared prepared_;
  TrainSetup& setup_ = prepared_.stage.setup;
  rgm_train& train_ = *prepared_.stage.train;
  Feed feed_{setup_, prepared_.self};
  std::vector<Batch*> batches_;
  int64_t step_ = 0;
};

bool may_follow(const rgm_strategy& table) {
  for (const rgm_role* const* r = table.roles; *r; ++r)
    if ((*r)->flags & RGM_FOLLOWS) return true;
  return false;
}

// Of those that follow, the ones that have moved.
std::vector<std::string> moved(const Steps& steps, const std::map<std::string, std::vector<float>>& first) {
  std::vector<std::string> out;
  for (const auto& [name, weights] : steps.weights())
    if (weights != first.at(name)) out.push_back(name);
  return out;
}

void try_after_step(Opened& opened, const std::string& id) {
  const auto& table = opened.component(RGM_KIND_STRATEGY, id).table<rgm_strategy>();
  if (!table.after_step && !may_follow(table)) return;
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Trial trial(opened, id);
  const bool follows = trial.pipeline().stages.front().follows_policy;
  if (!table.after_step) {
    if (follows) opened.failed("its plan says that a role follows the policy, but without after_step none moves");
    return;
  }
  Steps steps(opened, trial);
  const auto first = steps.weights();
  std::vector<std::string> movers;
  do {
    steps.next();
    movers = moved(steps, first);
  } while (movers.size() < first.size() && steps.done() < most_steps);
  if (movers.size() < first.size())
    return opened.skipped("{} of {} roles that follow the policy moved within {} steps", movers.size(), first.size(),
                          most_steps);
  // As many steps again: what is made at the first call is there.
  const int64_t period = steps.done();
  const size_t before = current_device().bytes_in_use();
  for (int64_t i = 0; i < period; ++i) steps.next();
  const int64_t told = steps.done();
  Refusals seen;
  for (int64_t i = 0; i < period && follows; ++i) steps.next_refused(seen);
  steps.destroy();
  const size_t after = current_device().bytes_in_use();
  if (after > before)
    seen.wrong.push_back(
        fmt::format("{} bytes of tensors are left of {} calls after destroy: release each tensor that the host gave",
                    after - before, steps.done() - period));
  for (const std::string& wrong : seen.wrong) opened.failed("{}", wrong);
  if (!seen.wrong.empty()) return;
  if (movers.empty()) return opened.ok("called after {} steps", told);
  opened.ok("after {} steps, \"{}\" moved towards the policy; where follow is refused it says so", told,
            join(movers, "\", \""));
}

}  // namespace

void after_step_step(Opened& opened, const std::string& id) {
  try {
    try_after_step(opened, id);
  } catch (const Error& e) {
    if (e.status() != RGM_CANCELLED) throw;
    opened.ok("it ends the stage: {}", e.what());
  }
}

}  // namespace rgm::inspect
