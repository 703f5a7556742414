// first_broken.cpp - where a number stopped being finite.
#include "train/first_broken.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tensor/ops.hpp"
#include "tensor/quantized.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {

// -infinity stands for a logarithm of nothing in some saved values, and breaks no sum by itself.
bool is_broken(const Tensor& x) {
  if (!x || (x.dtype() != RGM_F32 && x.dtype() != RGM_BF16 && x.dtype() != RGM_F16)) return false;
  const NoGradient still;
  const std::vector<float> values = to_host(ops::cast(readable(x), RGM_F32));
  return std::any_of(values.begin(), values.end(), [](float v) { return std::isnan(v) || v == INFINITY; });
}

class Names {
 public:
  explicit Names(std::span<Parameters* const> stores) {
    for (const Parameters* store : stores)
      for (const Parameter& p : store->all()) {
        add(p.value, p.name);
        add(p.half, p.name);
      }
  }
  // "linear of layers.0.mlp.in.weight", by the parameter that the step reads; of a step that reads none, as "attention
  // next to linear of ...", by the last one that was asked for and did.
  std::string of(const Step& step) {
    const std::string* name = nullptr;
    for (const Edge& edge : step.inputs)
      if (const std::string* found = find(edge.leaf)) name = found;
    for (const Tensor& t : step.saved)
      if (const std::string* found = find(t)) name = found;
    if (name) return last_ = fmt::format("{} of {}", step.name, *name);
    return last_.empty() ? step.name : fmt::format("{} next to {}", step.name, last_);
  }

 private:
  struct Place {
    const char *begin, *end;
    std::string name;
  };
  // Where its values lie: of a quantized weight, or of rows of it, its codes.
  static const rgm_view& place_of(const Tensor& t) {
    const auto& quantized = t.get()->storage->quantized;
    return quantized ? quantized->codes.view() : t.view();
  }
  void add(const Tensor& t, const std::string& name) {
    if (!t) return;
    const rgm_view& v = place_of(t);
    const auto* data = static_cast<const char*>(v.data);
    places_.push_back({data, data + static_cast<size_t>(count_of(v)) * bytes_of(v.dtype), name});
  }
  const std::string* find(const Tensor& t) const {
    if (!t) return nullptr;
    const auto* data = static_cast<const char*>(place_of(t).data);
    for (const Place& place : places_)
      if (place.begin <= data && data < place.end) return &place.name;
    return nullptr;
  }
  std::vector<Place> places_;
  std::string last_;
};

std::vector<std::shared_ptr<Step>> steps_behind(const Tensor& loss) {
  std::vector<std::shared_ptr<Step>> all{loss.get()->step};
  std::set<const Step*> seen{all[0].get()};
  for (size_t i = 0; i < all.size(); ++i)
    for (const Edge& edge : all[i]->inputs)
      if (edge.step && seen.insert(edge.step.get()).second) all.push_back(edge.step);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->order < b->order; });
  return all;
}

}  // namespace

std::string first_broken(const Tensor& loss, std::span<Parameters* const> stores) {
  for (const Parameters* store : stores)
    for (const Parameter& p : store->all())
      if (is_broken(p.value)) return p.name;
  if (!loss || !loss.get()->step) return {};
  Names names(stores);
  for (const std::shared_ptr<Step>& step : steps_behind(loss)) {
    std::string name = names.of(*step);
    if (std::any_of(step->saved.begin(), step->saved.end(), is_broken)) return name;
  }
  if (is_broken(loss)) return loss.get()->step->name;
  std::string found, name;
  backward(loss, [&](const Step& step, bool is_done) {
    if (!found.empty()) return;
    if (!is_done) {
      name = names.of(step);
      return;
    }
    for (const Edge& edge : step.inputs)
      if (is_broken(edge.step ? edge.step->gradients[edge.output] : edge.leaf ? edge.leaf.gradient() : Tensor()))
        found = "the gradient of " + name;
  });
  return found;
}

}  // namespace rgm
