// generation.hpp - a small model, three prompts, and the likeliest tokens by full passes.
#pragma once
#include <algorithm>

#include "generate/generate.hpp"
#include "model/small.hpp"

namespace rgm::test {

class Generation : public TensorTest {
 protected:
  std::vector<int32_t> greedy(std::vector<int32_t> text, int64_t n) const {
    const NoGradient no_gradient;
    std::vector<int32_t> out;
    for (int64_t i = 0; i < n; ++i) {
      const auto logits = to_host(model->forward(pass_over(tokens_of({text})), RGM_LOGITS)[0]);
      const auto last = logits.end() - 257;
      out.push_back(static_cast<int32_t>(std::max_element(last, logits.end()) - last));
      text.push_back(out.back());
    }
    return out;
  }
  std::shared_ptr<Model> model = small_model();
  const std::vector<std::vector<int32_t>> prompts = {some_tokens(3, 1), some_tokens(8, 2), some_tokens(5, 3)};
};

}  // namespace rgm::test
