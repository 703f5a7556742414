// parameters.hpp - named parameters, in the order they were made: what is trained, what is saved, what is a buffer.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.hpp"

namespace rgm {

struct Parameter {
  std::string name;  // "layers.0.attention.qkv.weight", or "scope.name" of a plug-in's own
  Tensor value;
  bool trained = false;  // goes to the optimizer
  bool buffer = false;   // saved like the rest, changed by assign only
  bool scales = false;   // starts at a number other than 0, which weight decay would pull it away from
  Tensor half = {};      // the value in bfloat16, for products; empty in float32
  // Rows of each of the matrices that lie in it, one below the other, as query, key and value; empty: it is one.
  std::vector<int64_t> parts = {};
  bool may_rest = false;  // of an expert: in a step that leaves it no gradient, this is 0

  const Tensor& for_products() const { return half ? half : value; }
  Tensor rows(int64_t begin, int64_t end) const;  // of that
  void make_half();
  void refresh_half() const;  // after the value has changed
};

class Parameters {
 public:
  // Files a parameter; its address stays valid. RGM_INVALID when the name is taken.
  Parameter& add(std::string name, Tensor value, bool trained, bool buffer = false);
  void remove_last(std::string_view name);  // the last one, if this is its name
  Parameter* find(std::string_view name);
  const Parameter* find(std::string_view name) const;
  std::deque<Parameter>& all() { return all_; }
  const std::deque<Parameter>& all() const { return all_; }
  int64_t count() const;            // elements, buffers left out
  int64_t trained_count() const;    // of those, trained
  int64_t narrow_count() const;     // of those, kept in bfloat16 alone
  int64_t quantized_count() const;  // of those, kept in four bits alone
  uint64_t bytes() const;           // of all values
  // Freezes or trains every non-buffer parameter, in the record and on its tensor.
  void set_trained(Parameter& p, bool trained);
  // Of names, shapes and bytes, in order, without the parameter `but`; waits.
  std::string sha256(std::string_view but = {}) const;

 private:
  std::deque<Parameter> all_;
  std::map<std::string, Parameter*, std::less<>> index_;
};

}  // namespace rgm
