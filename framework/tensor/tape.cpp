// tape.cpp - what is recorded, when, and how it is taken apart.
#include "tensor/tape.hpp"

#include <atomic>

#include "tensor/gradients.hpp"

namespace rgm {
namespace {

thread_local bool recording_now = true;
std::atomic<uint64_t> steps_made{0};

struct Remains {  // of a step whose last owner has gone
  std::vector<Edge> inputs;
  std::vector<Tensor> saved, gradients;
};
thread_local std::vector<Remains>* remains = nullptr;

Edge edge_of(const Tensor& x) {
  Edge edge;
  if (!x) return edge;
  if (x.get()->master) return edge_of(Tensor::share(x.get()->master));
  edge.like = x.view();
  edge.like.data = nullptr;
  edge.step = x.get()->step;
  edge.output = x.get()->output;
  if (!edge.step && x.get()->trained) edge.leaf = x;
  return edge;
}

}  // namespace

// A tape that backward() never walked is a chain of thousands of steps, each the owner of the one before.
Step::~Step() {
  if (inputs.empty() && saved.empty()) return;
  if (remains) {
    remains->push_back({std::move(inputs), std::move(saved), std::move(gradients)});
    return;
  }
  std::vector<Remains> list;
  list.push_back({std::move(inputs), std::move(saved), std::move(gradients)});
  remains = &list;
  while (!list.empty()) {
    const Remains last = std::move(list.back());
    list.pop_back();
  }
  remains = nullptr;
}

uint64_t steps_filed() { return steps_made; }
bool recording() { return recording_now; }
NoGradient::NoGradient() : before_(std::exchange(recording_now, false)) {}
NoGradient::~NoGradient() { recording_now = before_; }
WithGradient::WithGradient() : before_(std::exchange(recording_now, true)) {}
WithGradient::~WithGradient() { recording_now = before_; }

bool would_record(std::initializer_list<const Tensor*> inputs) {
  if (!recording_now) return false;
  for (const Tensor* x : inputs)
    if (*x && x->needs_gradient()) return true;
  return false;
}

namespace {

void file(Step& step, const char* name, GradientRule rule, std::vector<Tensor> saved, Arguments arguments) {
  step.order = ++steps_made;
  step.rule = rule;
  step.name = name;
  step.saved = std::move(saved);
  step.arguments = std::move(arguments);
}

// What a plug-in has kept from an earlier step is refused here, within its call, and not when the tape is walked.
void add_input(Step& step, const Tensor& x) {
  step.inputs.push_back(edge_of(x));
  const auto& maker = step.inputs.back().step;
  if (!maker) return;
  require(!maker->is_passed(),
          "{}: the tape behind an input (made by {}) was walked in an earlier step, and a tape serves only once: keep "
          "detach(x) instead of x",
          step.name, maker->name);
  ++maker->uses;
}

void attach(const std::shared_ptr<Step>& step, Tensor& output) {
  output.get()->output = static_cast<uint32_t>(step->gradients.size());
  output.get()->step = step;
  step->gradients.emplace_back();
}

}  // namespace

Tensor recomputed(const Tensor& y, std::function<Tensor()> again) {
  Tensor out = alias(y, y.view());
  const auto step = std::make_shared<Step>();
  file(*step, "recomputed", gradients::recomputed, {},
       {.more = std::make_shared<const std::function<Tensor()>>(std::move(again))});
  attach(step, out);
  return out;
}

bool record(const char* name, GradientRule rule, std::initializer_list<const Tensor*> inputs,
            std::initializer_list<Tensor*> outputs, std::vector<Tensor> saved, Arguments arguments) {
  if (!would_record(inputs)) return false;
  const auto step = std::make_shared<Step>();
  file(*step, name, rule, std::move(saved), std::move(arguments));
  step->inputs.reserve(inputs.size());
  for (const Tensor* x : inputs) add_input(*step, *x);
  for (Tensor* y : outputs) attach(step, *y);
  return true;
}

bool record(const char* name, GradientRule rule, std::span<const Tensor> inputs, std::span<Tensor> outputs,
            std::vector<Tensor> saved, Arguments arguments) {
  bool needed = false;
  for (const Tensor& x : inputs) needed = needed || would_record({&x});
  if (!needed) return false;
  const auto step = std::make_shared<Step>();
  file(*step, name, rule, std::move(saved), std::move(arguments));
  step->inputs.reserve(inputs.size());
  for (const Tensor& x : inputs) add_input(*step, x);
  for (Tensor& y : outputs) attach(step, y);
  return true;
}

}  // namespace rgm
