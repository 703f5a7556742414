// optimizer.cpp - the schedule, clipping by the norm of all gradients, and the updates. Nothing waits for the device.
#include "train/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/philox.hpp"
#include "base/text.hpp"
#include "tensor/ops.hpp"
#include "train/muon.hpp"
#include "train/rates.hpp"

namespace rgm {

double learning_rate(const OptimizerSpec& optimizer, const ScheduleSpec& schedule, int64_t step, int64_t steps) {
  const double top = optimizer.learning_rate;
  const int64_t warmup = schedule.warmup.of(steps);
  if (step <= warmup) return top * double(step) / double(warmup + 1);
  if (schedule.kind == "constant") return top;
  // Warm-up, stable, decay (arXiv 2404.06395): up to its last steps it is constant, from there on linear.
  const int64_t begin = schedule.kind == "wsd" ? std::max(warmup, steps - schedule.decay.of(steps)) : warmup;
  if (step <= begin) return top;
  // The first step on the way down is at the top; `final` would be that of the step behind the last.
  const double done = double(step - 1 - begin) / double(std::max<int64_t>(steps - begin, 1));
  const double left =
      schedule.kind == "cosine" ? 0.5 * (1 + std::cos(std::numbers::pi * std::min(done, 1.0))) : 1 - done;
  return schedule.final + (top - schedule.final) * std::max(left, 0.0);
}

namespace {
Tensor zeros_like(const Tensor& x, rgm_dtype dtype = RGM_F32) {
  Tensor out = empty_like(x.view(), dtype);
  assign(out, ops::broadcast(ops::full({}, 0), x.shape()));
  return out;
}

// Of a number in a list that gets those that it lacks.
size_t place_in(std::vector<double>& numbers, double x) {
  const auto found = std::find(numbers.begin(), numbers.end(), x);
  const auto place = static_cast<size_t>(found - numbers.begin());
  if (found == numbers.end()) numbers.push_back(x);
  return place;
}
}  // namespace

Optimizer::Optimizer(const OptimizerSpec& spec, std::span<Parameters* const> stores)
    : spec_(spec), rates_{spec.learning_rate} {
  const NoGradient still;
  const rgm_dtype moments = spec.moments == "bfloat16" ? RGM_BF16 : RGM_F32;
  require(moments == RGM_F32 || ops::has_narrow_adamw(),
          "optimizer: moments: bfloat16 needs a backend whose kernel for AdamW has them, which \"{}\" does not; write "
          "float32, or name another backend (`regimen plugins` lists them)",
          current_device().id());
  for (size_t store = 0; store < stores.size(); ++store)
    for (Parameter& p : stores[store]->all()) {
      if (!p.trained || p.buffer) continue;
      bool decays = spec.decay.empty() && p.value.rank() >= 2 && !p.scales;
      for (const std::string& pattern : spec.decay) decays = decays || matches(pattern, p.name);
      const bool by_muon = goes_by_muon(spec, p), by_adamw = spec.kind != "sgd" && !by_muon;
      Item item{&p, store, {}, {}, decays, by_muon, place_in(rates_, rate_of(spec, p))};
      if (by_adamw || by_muon || spec.momentum != 0) item.m = zeros_like(p.value, by_adamw ? moments : RGM_F32);
      if (by_adamw) item.v = zeros_like(p.value, moments);
      items_.push_back(std::move(item));
    }
}

int64_t Optimizer::parameters() const {
  int64_t n = 0;
  for (const Item& item : items_) n += item.parameter->value.count();
  return n;
}

uint64_t Optimizer::state_bytes() const {
  uint64_t bytes = 0;
  visit([&](const std::string&, const Tensor& state) {
    bytes += static_cast<uint64_t>(state.count()) * bytes_of(state.dtype());
  });
  return bytes;
}

void Optimizer::visit(const std::function<void(const std::string&, const Tensor&)>& see) const {
  for (const Item& item : items_) {
    if (item.m) see(fmt::format("m{}.{}", item.store, item.parameter->name), item.m);
    if (item.v) see(fmt::format("v{}.{}", item.store, item.parameter->name), item.v);
  }
}

namespace {
// What the rounding of each parameter's moments is drawn from.
Tensor draws_of(int64_t step, size_t parameters) {
  std::vector<int32_t> words;
  for (size_t i = 0; i < parameters; ++i)
    words.push_back(static_cast<int32_t>(mix(static_cast<uint64_t>(step), i) & 0xFFFFFFFF));
  return from_host(std::span<const int32_t>(words), {std::ssize(words)});
}
}  // namespace

Tensor Optimizer::step(int64_t step, double rate, double clip, const Tensor& loss) {
  const NoGradient still;
  std::vector<Tensor> gradients;
  std::vector<Item*> touched;
  const bool with_experts = std::ranges::any_of(
      items_, [](const Item& item) { return item.parameter->may_rest && item.parameter->value.gradient(); });
  for (Item& item : items_) {
    Tensor g = item.parameter->value.take_gradient();  // a parameter that no loss depended on has none
    if (!g && item.parameter->may_rest && with_experts) g = zeros_like(item.parameter->value);
    if (!g) continue;
    gradients.push_back(std::move(g));
    touched.push_back(&item);
  }
  const Tensor zero = ops::full({}, 0);
  Tensor norm = touched.empty() ? zero : ops::unary(RGM_SQRT, ops::sum_of_squares(gradients));
  const Tensor added = 0.0 * norm + 0.0 * ops::detach(loss);  // NaN where one of them is not finite
  sound_ = sound_ ? sound_ + added : added;
  missed_ = (missed_ ? missed_ : zero) + ops::select(ops::binary(RGM_EQUAL, sound_, zero), zero, ops::full({}, 1));
  if (touched.empty()) return norm;
  Tensor factor = ops::full({}, 1);
  if (clip > 0) factor = ops::binary(RGM_MIN, factor, ops::full({}, clip) / (norm + 1e-6));
  factor = factor + sound_;

  // The schedule scales all of them alike.
  const auto rate_now = [&](size_t place) { return place == 0 ? rate : rates_[place] * (rate / spec_.learning_rate); };
  if (spec_.kind == "sgd") {
    for (size_t i = 0; i < touched.size(); ++i) sgd(*touched[i], gradients[i], factor, rate_now(touched[i]->rate));
    return norm;
  }
  for (size_t i = 0; i < touched.size(); ++i)
    if (const Item& item = *touched[i]; item.by_muon)
      step_by_muon(spec_, *item.parameter, item.m, std::move(gradients[i]), factor, rate_now(item.rate),
                   item.decays ? spec_.weight_decay : 0);
  const Tensor draws = spec_.moments == "bfloat16" ? draws_of(step, touched.size()) : Tensor();
  for (size_t place = 0; place < rates_.size(); ++place)
    for (const bool decays : {true, false}) {
      std::vector<ops::AdamWItem> items;
      for (size_t i = 0; i < touched.size(); ++i) {
        const Item& item = *touched[i];
        if (item.by_muon || item.rate != place || item.decays != decays) continue;
        const auto at = static_cast<int64_t>(i);
        items.push_back({gradients[i], item.parameter->value, item.m, item.v, item.parameter->half,
                         draws ? ops::reshape(ops::slice(draws, 0, at, at + 1), {}) : Tensor()});
      }
      if (items.empty()) continue;
      const float hyper[] = {float(rate_now(place)),
                             float(spec_.beta1),
                             float(spec_.beta2),
                             float(spec_.epsilon),
                             float(decays ? spec_.decay_of_adamw() : 0),
                             float(1 - std::pow(spec_.beta1, double(step))),
                             float(1 - std::pow(spec_.beta2, double(step)))};
      const Tensor all[] = {from_host(hyper, {7}), ops::reshape(factor, {1})};
      ops::adamw(ops::concat(all, 0), items);
    }
  return norm;
}

int64_t Optimizer::steps_missed() const { return missed_ ? static_cast<int64_t>(rgm::item(missed_)) : 0; }

// v = momentum v + g; p -= rate (v + decay p)
void Optimizer::sgd(Item& item, const Tensor& gradient, const Tensor& factor, double rate) const {
  const Tensor is_taken = ops::binary(RGM_EQUAL, factor, factor);
  const auto take = [&](const Tensor& to, const Tensor& value) { assign(to, ops::select(is_taken, value, to)); };
  Tensor change = gradient * factor;
  if (item.m) {
    change = spec_.momentum * item.m + change;
    take(item.m, change);
  }
  const Tensor& p = item.parameter->value;
  const double keep = item.decays ? 1 - rate * spec_.weight_decay : 1;
  take(p, keep * ops::detach(p) - rate * change);
  item.parameter->refresh_half();
}

}  // namespace rgm
