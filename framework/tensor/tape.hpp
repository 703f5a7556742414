// tape.hpp - the eager tape: every operation on something trained leaves a step that knows its gradient rule, and
// backward() walks the steps from the newest to the oldest, freeing what each saved as soon as it was used.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "tensor/tensor.hpp"

namespace rgm {

// What flows into a step: where the gradient goes on, and the shape it must have.
struct Edge {
  std::shared_ptr<Step> step;  // that made the input, or
  Tensor leaf;                 // the trained leaf that it is; neither: no gradient wanted
  uint32_t output = 0;
  rgm_view like{};  // shape, strides and dtype of the input; data is NULL
  bool needed() const { return step || leaf; }
  // Of the gradient: an activation's in bfloat16 is bfloat16 as well, all others are float32.
  rgm_dtype dtype() const { return step && like.dtype == RGM_BF16 ? RGM_BF16 : RGM_F32; }
};

struct Arguments {  // of an operation, as its gradient rule needs them again
  int64_t i[6]{};
  double f[3]{};
  std::shared_ptr<const void> more = {};
};

class Backward;
using GradientRule = void (*)(Backward&);

struct Step {
  uint64_t order = 0;  // of its making
  GradientRule rule = nullptr;
  const char* name = "";
  std::vector<Edge> inputs;
  std::vector<Tensor> saved;
  std::vector<Tensor> gradients;  // of its outputs, as they come in
  Arguments arguments;
  uint64_t walk = 0;               // the call of backward() that used it; 0: none has
  uint32_t uses = 0;               // inputs of later steps that its outputs are
  bool before_activation = false;  // its gradient is of what its activation was given: the one user saw to it
  bool is_passed() const { return gradients.empty(); }  // by a walk, which left nothing of it
  Step() = default;
  ~Step();  // takes long chains of steps apart without recursion
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
};

// What a gradient rule works with.
class Backward {
 public:
  explicit Backward(Step& step) : step_(step) {}
  const Arguments& arguments() const { return step_.arguments; }
  // The gradient of output i; empty where nothing depends on it.
  const Tensor& dy(size_t i = 0) const { return step_.gradients[i]; }
  Tensor take_dy(size_t i = 0) { return std::move(step_.gradients[i]); }
  const Tensor& saved(size_t i) const { return step_.saved[i]; }
  Tensor take_saved(size_t i) { return std::move(step_.saved[i]); }
  const rgm_view& like(size_t i) const { return step_.inputs[i].like; }
  rgm_dtype dtype(size_t i) const { return step_.inputs[i].dtype(); }
  size_t outputs() const { return step_.gradients.size(); }
  size_t inputs() const { return step_.inputs.size(); }
  bool needs(size_t i) const { return step_.inputs[i].needed(); }
  // dy is the 1 that backward() starts with: nothing needs to be scaled by it.
  bool starts_here() const;
  // Adds to the gradient of input i, if it needs one; a broadcast input is summed over the axes it was repeated along.
  void add(size_t i, Tensor gradient);
  // What input i has collected so far (maybe nothing), to be added to in place and put back with put(), which adds to
  // what another input, which is the same tensor, has put there.
  Tensor take(size_t i);
  void put(size_t i, Tensor gradient);
  const Step* maker(size_t i) const { return step_.inputs[i].step.get(); }  // NULL: a leaf, or nothing of the tape
  // The step of a linear layer with an activation that made input i, which nobody else uses: NULL where there is none.
  Step* activated_for_us(size_t i) const;
  bool before_activation() const { return step_.before_activation; }
  // The walk has to pass there too: a gradient for it was found while this step's rule ran.
  void go_on_to(std::shared_ptr<Step> step);

 private:
  Step& step_;
};

// How many steps were filed so far; a step's order is its number.
uint64_t steps_filed();

// False inside a NoGradient scope: nothing is recorded there. Per thread.
bool recording();
class NoGradient {
 public:
  NoGradient();
  ~NoGradient();
  NoGradient(const NoGradient&) = delete;
  NoGradient& operator=(const NoGradient&) = delete;

 private:
  bool before_;
};

// Records again, inside a NoGradient scope.
class WithGradient {
 public:
  WithGradient();
  ~WithGradient();
  WithGradient(const WithGradient&) = delete;
  WithGradient& operator=(const WithGradient&) = delete;

 private:
  bool before_;
};

// Files a step behind `outputs` if something in `inputs` needs a gradient; `saved` is what the rule will look at.
// Answers whether it did. Saved tensors that are outputs must be passed as alias(), or they would keep themselves
// alive.
bool record(const char* name, GradientRule rule, std::initializer_list<const Tensor*> inputs,
            std::initializer_list<Tensor*> outputs, std::vector<Tensor> saved, Arguments arguments = {});
bool record(const char* name, GradientRule rule, std::span<const Tensor> inputs, std::span<Tensor> outputs,
            std::vector<Tensor> saved, Arguments arguments = {});
// Would record() file one? Lets an operation save only what will be used.
bool would_record(std::initializer_list<const Tensor*> inputs);

// Adds the gradient of `loss` () to every trained leaf it depends on. A tape can be walked once.
void backward(const Tensor& loss);
// The same for those who look for a fault: `see` is called before each step's rule, and after it with true, when the
// gradients of its inputs are what they are so far.
void backward(const Tensor& loss, const std::function<void(const Step& step, bool is_done)>& see);
// The same from any tensor, whose gradient is given.
void backward_from(const Tensor& y, Tensor dy);

// `y` without the tape behind it, which is dropped. backward() makes it anew with `again`, which answers the same
// values from tensors made before this call, and walks through that: memory for a second forward pass (Chen et al.
// 2016).
Tensor recomputed(const Tensor& y, std::function<Tensor()> again);

// Which random numbers a scope draws: each draw takes the next call number. Per thread.
struct RandomKey {
  uint64_t seed = 0, step = 0;
  uint32_t micro_batch = 0, site = 0;
};
using RandomCalls = std::unordered_map<uint32_t, uint32_t>;  // so far, by site
struct RandomState {
  RandomKey key;
  RandomCalls calls;
};
RandomState random_state();
class RandomScope {
 public:
  // With the key and the calls of a random_state(): what was drawn behind that is drawn again.
  explicit RandomScope(const RandomKey& key, RandomCalls calls = {});
  ~RandomScope();
  RandomScope(const RandomScope&) = delete;
  RandomScope& operator=(const RandomScope&) = delete;

 private:
  RandomState before_;
};
// The six words of the next draw in this scope, as the kernel `random` wants them.
std::array<int32_t, 6> next_random_key();
// Draws inside `site` are numbered on their own, so that adding one elsewhere changes nothing here. Entering a site
// again within a RandomScope goes on with its numbers: two passes of one loss draw different ones.
class SiteScope {
 public:
  explicit SiteScope(uint32_t site);
  ~SiteScope();
  SiteScope(const SiteScope&) = delete;
  SiteScope& operator=(const SiteScope&) = delete;

 private:
  uint32_t site_before_;
};

}  // namespace rgm
