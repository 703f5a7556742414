// backward.cpp - the walk over the tape from the newest step to the oldest, and how gradients add up on the way. The
// order of the sums is the order of the steps, so the bits are the same every time.
#include <algorithm>
#include <atomic>

#include "tensor/gradients.hpp"
#include "tensor/support.hpp"

namespace rgm {
namespace {

std::atomic<uint64_t> walks{0};
thread_local const rgm_tensor* start = nullptr;  // the 1 that the walk began with
thread_local const std::function<void(const Step&, bool)>* watcher = nullptr;

Tensor take_from(Edge& edge) {
  if (edge.step) return std::move(edge.step->gradients[edge.output]);
  return edge.leaf ? edge.leaf.take_gradient() : Tensor();
}
void put_to(Edge& edge, Tensor gradient) {
  if (edge.step)
    edge.step->gradients[edge.output] = std::move(gradient);
  else if (edge.leaf)
    edge.leaf.set_gradient(std::move(gradient));
}

// Sums over the axes that the input was repeated along.
Tensor summed_to(Tensor gradient, const Shape& shape) {
  const Shape from = gradient.shape();
  if (from == shape) return gradient;
  const int32_t more = from.rank() - shape.rank();
  uint32_t axes = 0;
  Shape kept = from;
  for (int32_t i = 0; i < from.rank(); ++i) {
    if (i >= more && shape[i - more] == from[i]) continue;
    require(more >= 0 && (i < more || shape[i - more] == 1), "a gradient of shape {} came for an input of shape {}",
            from.text(), shape.text());
    axes |= 1U << i;
    kept[i] = 1;
  }
  Tensor sum = empty(kept);
  kernel::reduce(RGM_SUM, axes, gradient.view(), sum.view());
  const rgm_view without_repeats = dense_view(shape, RGM_F32, sum.view().data);
  return seen_as(std::move(sum), without_repeats);
}

// A leaf's gradient outlives the walk: it has memory of its own, in the order of the leaf's, as optimizers need it.
Tensor for_leaf(Tensor gradient, const rgm_view& like) {
  if (writable(gradient) && views::same_layout(gradient.view(), views::layout_like(like, RGM_F32))) return gradient;
  Tensor own = empty_like(like, RGM_F32);
  kernel::copy(gradient.view(), own.view());
  return own;
}

void add_to(Edge& edge, Tensor gradient) {
  const rgm_dtype dtype = edge.dtype();
  const Shape shape(edge.like);
  if (gradient.dtype() != dtype && gradient.shape() == shape) gradient = ops::cast(gradient, dtype);
  if (gradient.shape() != shape) gradient = ops::cast(summed_to(as_float(gradient), shape), dtype);
  Tensor before = take_from(edge);
  if (!before) {
    put_to(edge, edge.leaf ? for_leaf(std::move(gradient), edge.like) : std::move(gradient));
    return;
  }
  Tensor sum = writable(before, dtype)                  ? before
               : writable(gradient, dtype) && edge.step ? gradient
                                                        : empty_like(edge.like, dtype);
  kernel::binary(RGM_ADD, before.view(), gradient.view(), sum.view());
  put_to(edge, std::move(sum));
}

bool older(const std::shared_ptr<Step>& a, const std::shared_ptr<Step>& b) { return a->order < b->order; }

class Walk {
 public:
  // Steps up to `floor` are passed by an outer walk: they are only handed their gradients, and told to `outer`.
  explicit Walk(uint64_t floor = 0, Backward* outer = nullptr) : floor_(floor), outer_(outer) {}
  void visit(const std::shared_ptr<Step>& step) {
    if (step->walk == number_) return;
    require(step->walk == 0, "backward: the tape behind this tensor (at {}) was walked before; a tape serves only once",
            step->name);
    step->walk = number_;
    heap_.push_back(step);
    std::push_heap(heap_.begin(), heap_.end(), older);
  }
  void run() {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), older);
      const std::shared_ptr<Step> step = std::move(heap_.back());
      heap_.pop_back();
      const auto& gradients = step->gradients;
      if (std::any_of(gradients.begin(), gradients.end(), [](const Tensor& t) { return bool(t); })) {
        for (const Edge& edge : step->inputs)
          require(!edge.step || !edge.step->is_passed(),
                  "backward: the tape behind an input of {} (made by {}) was walked before; a tape serves only once",
                  step->name, edge.step ? edge.step->name : "");
        Backward back(*step);
        if (watcher) (*watcher)(*step, false);
        step->rule(back);
        if (watcher) (*watcher)(*step, true);
      }
      step->saved.clear();
      step->gradients.clear();
      step->arguments.more.reset();
      const std::vector<Edge> inputs = std::move(step->inputs);
      step->inputs.clear();
      for (const Edge& edge : inputs) {
        if (!edge.step) continue;
        if (edge.step->order > floor_)
          visit(edge.step);
        else
          outer_->go_on_to(edge.step);
      }
    }
  }

 private:
  const uint64_t number_ = ++walks, floor_;
  Backward* const outer_;
  std::vector<std::shared_ptr<Step>> heap_;
};

}  // namespace

bool Backward::starts_here() const { return dy().get() == start; }
void Backward::add(size_t i, Tensor gradient) {
  if (needs(i) && gradient) add_to(step_.inputs[i], std::move(gradient));
}
Tensor Backward::take(size_t i) { return take_from(step_.inputs[i]); }
void Backward::put(size_t i, Tensor gradient) {
  Tensor of_another = take(i);  // input that is the same tensor
  put_to(step_.inputs[i], std::move(gradient));
  add(i, std::move(of_another));
}

void Backward::go_on_to(std::shared_ptr<Step> step) {
  Edge edge;
  edge.step = std::move(step);
  step_.inputs.push_back(std::move(edge));
}

void gradients::recomputed(Backward& b) {
  const uint64_t floor = steps_filed();
  Tensor y;
  {
    const WithGradient scope;
    y = (*static_cast<const std::function<Tensor()>*>(b.arguments().more.get()))();
  }
  if (!y.get()->step) return;
  Walk walk(floor, &b);
  walk.visit(y.get()->step);
  y.get()->step->gradients[y.get()->output] = b.take_dy();
  walk.run();
}

void backward_from(const Tensor& y, Tensor dy) {
  const NoGradient no_gradient;
  if (!y.get()->step) {
    Edge edge;
    edge.leaf = y;
    edge.like = y.view();
    add_to(edge, std::move(dy));
    return;
  }
  Walk walk;
  walk.visit(y.get()->step);
  y.get()->step->gradients[y.get()->output] = y.dtype() == RGM_BF16 ? ops::cast(dy, RGM_BF16) : std::move(dy);
  walk.run();
}

void backward(const Tensor& loss) {
  require(loss.count() == 1, "backward: the loss has shape {}, expected one number", loss.shape().text());
  require(loss.needs_gradient(), "backward: the loss depends on nothing that is trained");
  const Tensor one = ops::full(loss.shape(), 1);
  struct Start {
    const rgm_tensor* before;
    explicit Start(const rgm_tensor* now) : before(std::exchange(start, now)) {}
    ~Start() { start = before; }
  } const scope(one.get());
  backward_from(loss, one);
}

void backward(const Tensor& loss, const std::function<void(const Step&, bool)>& see) {
  struct Watch {
    explicit Watch(const std::function<void(const Step&, bool)>& see) { watcher = &see; }
    ~Watch() { watcher = nullptr; }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
  } const scope(see);
  backward(loss);
}

}  // namespace rgm
