// trial.hpp - one case while it is made: random numbers, arguments with random layouts, and the call. A case says what
// a kernel gets and which of that it writes; everything else (poison, comparison, repetition) is judged elsewhere.
#pragma once
#include <cmath>
#include <span>
#include <string>
#include <string_view>

#include "array.hpp"

namespace rgm::conformance {

using Arg = int;  // the number of an argument
inline constexpr Arg no_arg = -1;

class Views {  // the arguments in the memory of one device
 public:
  Views(const std::vector<Array>& arrays, std::span<std::byte* const> memory);
  const rgm_view* operator()(Arg arg) const { return arg == no_arg ? nullptr : &views_[static_cast<size_t>(arg)]; }

 private:
  std::vector<rgm_view> views_;
};
using Call = std::function<rgm_status(const rgm_kernels&, rgm_queue*, const Views&)>;

class Trial {
 public:
  Trial(uint64_t seed, std::string_view kernel, int index);

  // Random, from the seed, the kernel's name and the case's number alone.
  int64_t pick(int64_t low, int64_t high);  // both included
  double uniform(double low, double high);
  double normal();
  bool chance(double p) { return uniform(0, 1) < p; }
  int64_t size() { return one_of({1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33}); }
  int64_t large() { return one_of({1, 2, 16, 31, 64, 65, 100, 127, 128, 129}); }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[pick(0, static_cast<int64_t>(choices.size()) - 1)];
  }
  Shape shape(int low_rank, int high_rank);
  // The feature bits of this case: none, each alone, all, and then random ones; the first two cases are left for bits
  // that nobody knows
  uint32_t features(std::initializer_list<uint32_t> bits);

  // Arguments. Every second case has dense ones only, the others any strides.
  using Fill = std::function<double()>;
  Fill normals() {
    return [this] { return normal(); };
  }
  Fill uniforms(double low, double high) {
    return [=, this] { return uniform(low, high); };
  }
  Fill integers(int64_t low, int64_t high) {
    return [=, this] { return static_cast<double>(pick(low, high)); };
  }
  Fill with_nan(double how_often, const Fill& fill) {
    return [=, this] { return chance(how_often) ? NAN : fill(); };
  }
  Arg in(const Shape& shape, const Fill& fill, rgm_dtype dtype = RGM_F32);
  Arg dense(const Shape& shape, const Fill& fill, rgm_dtype dtype = RGM_F32);
  Arg out(const Shape& shape, rgm_dtype dtype = RGM_F32);                      // holds NaN before
  Arg inout(const Shape& shape, const Fill& fill, rgm_dtype dtype = RGM_F32);  // added to, or computed in place
  Arg prepared(const Shape& shape, rgm_dtype dtype = RGM_F32);                 // an input that prepare() writes

  // Runs on the reference alone before the case; what it leaves in the arguments is what the case starts from.
  void prepare(Call call) { preparation = std::move(call); }
  // The call of the kernel at `field`; body(function, queue, views)
  template <class F, class Body>
  void run(F rgm_kernels::*field, Body body) {
    offered = [field](const rgm_kernels& k) {
      const auto* end = reinterpret_cast<const char*>(&(k.*field) + 1);
      return static_cast<size_t>(end - reinterpret_cast<const char*>(&k)) <= k.struct_size && k.*field;
    };
    call = [field, body](const rgm_kernels& k, rgm_queue* q, const Views& v) { return body(k.*field, q, v); };
  }

  // Now and then, where a weight is bfloat16, what it is multiplied by is not: a form that may be refused, and whose
  // products are of float32 values.
  rgm_dtype beside(rgm_dtype weight);
  void say(std::string_view text);  // adds to the case's name

  int index;
  std::string name{};
  std::vector<Array> arrays{};
  bool all_dense = false;           // from here on no argument has strides of its own
  bool exact = false;               // the outputs have to be equal to the last bit's value
  double least = 0.1;               // an error is held against the largest output, but against no less than this
  double within = 0;                // instead of the tolerance that the dtypes ask for
  bool optional = false;            // not asked of a required kernel, such as another dtype
  bool must_refuse = false;         // only RGM_UNSUPPORTED is right
  bool is_new = false;              // the contract says it only since backends were built that may do it otherwise
  bool is_outside = false;          // an index is: only RGM_INVALID is right, of the call or of the next wait
  uint32_t dtypes = 1u << RGM_F32;  // that the device must list
  Call preparation{}, call{};
  std::function<bool(const rgm_kernels&)> offered{};
  double tolerance(size_t array) const;  // of what was written to it

 private:
  Layout layout(const Shape& shape, bool repeats);
  Arg add(Array array, const Fill* fill, bool written);
  uint64_t seed_, draws_ = 0;
};

}  // namespace rgm::conformance
