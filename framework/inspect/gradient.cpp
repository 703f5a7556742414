// gradient.cpp - a gradient against differences of the loss: along itself, where the slope is its length, and along a
// random direction, where a part that is missing from it shows, as does one that is missing as a whole.
#include <cmath>
#include <random>

#include "inspect/opened.hpp"
#include "tensor/ops.hpp"

namespace rgm::inspect {
namespace {

constexpr size_t most_parameters = 12;
// float32 losses have some 1e-7 of noise, and steps of 1e-2 leave 1e-5 of it in a slope of about 1.
constexpr double wanted_change = 1e-2, tolerance = 2e-2, least_slope = 2e-4;

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

// d loss / d t of value + t direction, at 0
double slope(const Parameter& p, const std::vector<float>& start, const std::vector<float>& direction, double step,
             const std::function<Tensor()>& loss) {
  const auto at = [&](double t) {
    std::vector<float> moved(start);
    for (size_t i = 0; i < moved.size(); ++i) moved[i] += float(t * double(direction[i]));
    assign(p.value, from_host(std::span<const float>(moved), p.value.shape()));
    p.refresh_half();
    const NoGradient still;
    return double(item(loss()));
  };
  const auto central = [&](double h) { return (at(h) - at(-h)) / (2 * h); };
  const double coarse = central(step), fine = central(step / 2);
  at(0);
  return (4 * fine - coarse) / 3;  // Richardson: what curvature adds to both falls out
}

}  // namespace

void check_gradients(const Opened& opened, const std::vector<Parameters*>& stores,
                     const std::function<Tensor()>& loss) {
  const int detached = Opened::detached();
  const Tensor first = loss();
  if (!first.needs_gradient())
    return opened.failed(
        "the loss depends on nothing that is trained; no gradient gets through detach, or through values that were "
        "read");
  if (!std::isfinite(item(first))) return opened.failed("the loss of random data is {}", item(first));
  if (item(first) != item(loss()))
    return opened.failed(
        "two calls with equal random numbers return {} and {}: a loss must depend only on parameters, batch and key",
        item(first), item(loss()));
  opened.at("backward");
  backward(first);
  if (Opened::detached() != detached)
    return opened.skipped("the loss leaves gradients out on purpose (detach), so differences cannot judge the rest");

  std::vector<const Parameter*> trained, without;
  for (Parameters* store : stores)
    for (const Parameter& p : store->all())
      if (p.trained) (p.value.gradient() ? trained : without).push_back(&p);
  std::mt19937 random(1);
  double worst = 0;
  size_t compared = 0;
  for (const Parameter* p : without) {
    const std::vector<float> start = to_host(p->value);
    std::vector<float> signs(start.size());
    for (float& x : signs) x = random() % 2 ? 1 : -1;
    const double across = slope(*p, start, signs, 0.02, loss);
    if (!(std::abs(across) <= least_slope))
      return opened.failed(
          "{} gets no gradient, but differences of the loss give {:.4g} in a random direction: an operation on the way "
          "drops it",
          p->name, across);
    ++compared;
  }
  const size_t every = std::max<size_t>(1, trained.size() / most_parameters);
  for (size_t i = 0; i < trained.size(); i += every) {
    const Parameter& p = *trained[i];
    const std::vector<float> start = to_host(p.value), gradient = to_host(p.value.gradient());
    const double length = std::sqrt(dot(gradient, gradient));
    if (!std::isfinite(length)) return opened.failed("the gradient of {} is not finite", p.name);
    if (length < least_slope) continue;
    std::vector<float> along(gradient), other(gradient.size());
    for (float& x : along) x = float(double(x) / length);
    for (float& x : other) x = float((random() % 2 ? 1 : -1) / std::sqrt(double(other.size())));
    // A right gradient agrees better the shorter the step is, until noise takes over: the best counts. The shortest is
    // for losses with corners nearby, such as a clipped ratio.
    const double random_slope = dot(gradient, other);
    double error = INFINITY, got = 0, across = 0;
    for (const double step : {0.02, 0.005, 0.00125}) {
      if (error <= tolerance) break;
      const double h = std::min(step, wanted_change / length);
      const double one = slope(p, start, along, h, loss), two = slope(p, start, other, h, loss);
      const double off = std::max(std::abs(one - length), std::abs(two - random_slope)) / length;
      if (off < error) error = off, got = one, across = two;
    }
    worst = std::max(worst, error);
    ++compared;
    if (error > tolerance)
      return opened.failed(
          "the gradient of {} has the slope {:.4g}, differences of the loss give {:.4g} (and {:.4g} for {:.4g} in a "
          "random direction)",
          p.name, length, got, across, random_slope);
  }
  if (compared == 0) return opened.skipped("every gradient is about 0 here, so nothing can be compared");
  opened.ok("{} of {} parameters compared with differences, at most {:.1g} off", compared,
            trained.size() + without.size(), worst);
}

}  // namespace rgm::inspect
