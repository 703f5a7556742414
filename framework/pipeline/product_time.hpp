// product_time.hpp - how fast a device multiplies matrices of a model's shapes, and reads memory. Only for figures that
// people read: nothing that is computed depends on it.
#pragma once
#include <span>

#include "model/model.hpp"
#include "tensor/tensor.hpp"

namespace rgm {

struct ProductTime {
  double operations = 0;  // floating-point ones
  double seconds = 0;     // that they take
  double rate() const { return operations / seconds; }
};

// Of rows times each weight's shape, as often as a step has it: forward and, with `backward`, the two products of the
// gradients. Each is the best of calls that take `seconds` together, or of some that take up to ten times as long. On
// the current device.
ProductTime product_time(std::span<const ProductShape> shapes, int64_t rows, bool backward, double seconds,
                         rgm_dtype dtype = RGM_F32);

// A pass over 256 MiB of the current device's memory, as its fastest reading kernel does. Memory has good and bad
// moments, so what is compared with it is timed in turns with it.
class ReadTest {
 public:
  ReadTest();
  double seconds() const;  // of one pass
  static constexpr int64_t bytes = int64_t{256} << 20;

 private:
  Tensor read_, rows_;  // what is read, and a sum of each row
  bool squares_;
};

}  // namespace rgm
