// widened.hpp - the bfloat16 arguments of a kernel as float32 ones, for backends that do not compute with them.
#pragma once
#include <vector>

#include "tensor/tensor.hpp"

namespace rgm {

class Widened {
 public:
  // Where v is bfloat16, it becomes float32 memory with the same values,
  void read(const rgm_view*& v);
  // or float32 memory that finish() rounds into it; `keep`: the kernel reads what is there as well.
  void write(const rgm_view*& v, bool keep = false);
  bool any() const { return !copies_.empty(); }
  void finish();

 private:
  std::vector<Tensor> copies_;
  std::vector<std::pair<Tensor, rgm_view>> written_;
};

}  // namespace rgm
