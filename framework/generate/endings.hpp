// endings.hpp - where an answer ends by itself: at a token that ends a text, or at a text of the user's.
#pragma once
#include <span>
#include <vector>

#include "generate/generate.hpp"

namespace rgm {

class Endings {
 public:
  Endings(const Model& model, const Sampling& sampling);
  bool end(std::span<const int32_t> answer) const;  // with the last of these tokens

 private:
  bool completes_a_stop(std::span<const int32_t> answer) const;
  const Model& model_;
  std::span<const std::string> stops_;
  size_t longest_ = 0;         // of the stops, in bytes
  std::vector<int32_t> ends_;  // tokens that end a text
};

}  // namespace rgm
