// step_gradients.cpp - a step as usual first, so that whatever grows has grown; one like it is captured; then replayed.
#include "train/step_gradients.hpp"

#include "tensor/ops.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {

// Of one piece of work, which takes memory for each kernel; so many small ones are no reason to have it.
constexpr int64_t most_micro_batches = 16;

std::string layout_of_step(std::span<Batch* const> batches) {
  std::string out;
  for (const Batch* batch : batches) out += layout_of(*batch) + "\n";
  return out;
}

Tensor copy_of(const Tensor& x) {
  Tensor copy = empty(x.shape());
  assign(copy, x);
  return copy;
}

// The step's own metrics go to those since the last line in one piece, however the step was computed.
class MetricsOfStep {
 public:
  explicit MetricsOfStep(rgm_train& train) : train_(train), before_(std::exchange(train.metrics, {})) {}
  ~MetricsOfStep() { train_.metrics = std::move(before_); }
  MetricsOfStep(const MetricsOfStep&) = delete;
  MetricsOfStep& operator=(const MetricsOfStep&) = delete;
  std::map<std::string, rgm_train::Metric> take() { return std::exchange(train_.metrics, {}); }

 private:
  rgm_train& train_;
  std::map<std::string, rgm_train::Metric> before_;
};

class TotalsInPlaces {
 public:
  TotalsInPlaces(rgm_train& train, const std::map<std::string, Tensor>& places) : train_(train) {
    train_.total_places = places;
  }
  ~TotalsInPlaces() { train_.total_places.reset(); }
  TotalsInPlaces(const TotalsInPlaces&) = delete;
  TotalsInPlaces& operator=(const TotalsInPlaces&) = delete;

 private:
  rgm_train& train_;
};

}  // namespace

StepGradients::StepGradients(rgm_train& train, std::span<Parameters* const> stores, bool capturable, Loss loss)
    : train_(train), stores_(stores), loss_(std::move(loss)), device_(share_current_device()) {
  if (!capturable || !can_capture(*device_)) return;
  captures_left_ = 2;
  device_->when_short([this] {
    if (captured_.use_count() != 1) return false;  // there is none, or it is being enqueued
    forget();
    return true;
  });
}
StepGradients::~StepGradients() {
  if (captures_left_ > 0) device_->when_short(nullptr);
}

Tensor StepGradients::run(std::span<Batch* const> batches) {
  if (captures_left_ == 0 || !device_->may_capture() || std::ssize(batches) > most_micro_batches)
    return enqueue(batches);
  std::string layout = layout_of_step(batches);
  const bool repeats = layout == layout_ && kernels_set_ == device_->kernels_set();
  layout_ = std::move(layout);
  kernels_set_ = device_->kernels_set();
  if (!repeats) forget();
  if (repeats && (captured_ || capture(batches))) return replay(batches);

  std::map<std::string, rgm_train::Metric> metrics;
  Tensor loss;
  {
    MetricsOfStep own(train_);
    loss = enqueue(batches);
    metrics = own.take();
  }
  totals_.clear();
  for (const auto& [name, value] : train_.totals) totals_.push_back(name);
  for (const auto& [name, metric] : metrics) add_metric(train_, name, metric.sum, metric.count);
  return loss;
}

Tensor StepGradients::enqueue(std::span<Batch* const> batches) {
  Tensor loss;
  columns_.resize(batches.size());
  for (size_t i = 0; i < batches.size(); ++i) {
    const Tensor part = loss_(i, batches[i]);
    if (part.needs_gradient()) backward(part);
    const NoGradient still;
    loss = loss ? loss + ops::detach(part) : ops::detach(part);
    columns_[i].clear();
    for (const auto& [name, column] : batches[i]->uploaded) columns_[i].push_back(name);
    batches[i]->uploaded.clear();
    train_.batches.clear();
  }
  return loss;
}

std::vector<StepGradients::Gradient> StepGradients::take_gradients() const {
  std::vector<Gradient> out;
  for (Parameters* store : stores_)
    for (const Parameter& p : store->all())
      if (Tensor value = p.value.take_gradient()) out.push_back({p.value, std::move(value)});
  return out;
}

// Nothing of it runs yet. Memory that did not suffice may do so once more; of all else that stands in its way one can
// expect that it does so again.
bool StepGradients::capture(std::span<Batch* const> batches) {
  auto work = std::make_shared<Work>();
  for (size_t i = 0; i < batches.size(); ++i) {
    auto& columns = work->columns.emplace_back();
    for (const std::string& name : columns_[i]) columns.emplace(name, column(*batches[i], name));
  }
  for (const std::string& name : totals_) work->totals.emplace(name, ops::full({}, 0));
  {
    const TotalsInPlaces places(train_, work->totals);
    MetricsOfStep own(train_);
    if (auto captured = Captured::of([&] {
          work->loss = enqueue(batches);
          work->gradients = take_gradients();
          work->metrics = own.take();
        }))
      work->captured.emplace(std::move(*captured));
  }
  if (work->captured) {
    captured_ = std::move(work);
    return true;
  }
  work.reset();
  take_gradients();
  for (Batch* batch : batches) batch->uploaded.clear();
  train_.batches.clear();
  if (!device_->may_capture()) return false;  // nothing was tried
  device_->trim();                            // of what was tried; a step as usual may need it elsewhere
  if (--captures_left_ == 0) device_->when_short(nullptr);
  return false;
}

Tensor StepGradients::replay(std::span<Batch* const> batches) {
  const std::shared_ptr<const Work> kept = captured_;  // whatever memory is short meanwhile
  const Work& work = *kept;
  const NoGradient still;
  for (size_t i = 0; i < batches.size(); ++i)
    for (const auto& [name, to] : work.columns[i]) upload_again(*batches[i], name, to);
  for (const auto& [name, to] : work.totals) {
    const auto value = static_cast<float>(total(train_, name));
    refill(to, std::span(&value, 1));
  }
  work.captured->replay();
  for (const auto& [parameter, value] : work.gradients) parameter.set_gradient(value);
  for (const auto& [name, metric] : work.metrics)  // the next replay writes there again
    add_metric(train_, name, copy_of(metric.sum), copy_of(metric.count));
  return work.loss;
}

}  // namespace rgm
