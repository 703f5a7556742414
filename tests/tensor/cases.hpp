// cases.hpp - the table of differentiable operations: a name, the inputs' shapes, and the operation.
#pragma once
#include <regimen/abi/model.h>

#include <functional>

#include "fixture.hpp"

namespace rgm::test {

struct Case {
  std::string name;
  std::vector<Shape> shapes;
  std::function<Tensor(std::span<const Tensor>)> run;
  double low = -1, high = 1;  // range of the inputs
  bool apart = false;         // no two numbers nearer than 0.1: for operations with corners where they meet
};

inline std::string to_text(int32_t number) { return std::to_string(number); }

inline void add_elementwise(std::vector<Case>& cases) {
  using In = std::span<const Tensor>;
  for (int32_t op = RGM_NEG; op <= RGM_GELU_ERF; ++op) {
    const bool positive = op == RGM_SQRT || op == RGM_RSQRT || op == RGM_LOG || op == RGM_LOG1P;
    cases.push_back({"Unary" + to_text(op),
                     {{3, 5}},
                     [op](In x) { return ops::unary(op, x[0]); },
                     positive ? 0.5 : -2,
                     positive ? 1.5 : 2});
  }
  for (int32_t op = RGM_ADD; op <= RGM_MAX; ++op) {
    if (op == RGM_DIV) continue;
    const bool apart = op == RGM_MIN || op == RGM_MAX;
    const auto run = [op](In x) { return ops::binary(op, x[0], x[1]); };
    cases.push_back({"Binary" + to_text(op), {{2, 3}, {2, 3}}, run, -1, 1, apart});
    cases.push_back({"BinaryRow" + to_text(op), {{2, 3}, {3}}, run, -1, 1, apart});
    cases.push_back({"BinaryCross" + to_text(op), {{4, 1, 2}, {3, 1}}, run, -1, 1, apart});
  }
  cases.push_back({"Divide", {{2, 3}, {3}}, [](In x) { return x[0] / x[1]; }, 0.5, 2});
  cases.push_back({"SameTwice", {{4}}, [](In x) { return x[0] * x[0] + x[0]; }});
  cases.push_back({"Affine", {{2, 3}}, [](In x) { return ops::affine(x[0], -2.5, 3); }});
  cases.push_back({"Select", {{2, 3}, {3}}, [](In x) {
                     return ops::select(ops::binary(RGM_LESS, ops::detach(x[0]), ops::full({}, 0.1)), x[0], x[1]);
                   }});
  cases.push_back({"Dropout", {{4, 8}}, [](In x) {
                     const RandomScope scope({.seed = 3});
                     return ops::dropout(x[0], 0.4);
                   }});
}

inline void add_products(std::vector<Case>& cases) {
  using In = std::span<const Tensor>;
  for (int turns = 0; turns < 4; ++turns) {
    const bool ta = turns & 1, tb = turns & 2;
    const Shape a = ta ? Shape{4, 3} : Shape{3, 4}, b = tb ? Shape{5, 4} : Shape{4, 5};
    cases.push_back({"Matmul" + to_text(turns), {a, b}, [=](In x) { return ops::matmul(x[0], ta, x[1], tb, 1.5); }});
    const Shape batch_a = ta ? Shape{2, 4, 3} : Shape{2, 3, 4};
    cases.push_back(
        {"MatmulOneMatrix" + to_text(turns), {batch_a, b}, [=](In x) { return ops::matmul(x[0], ta, x[1], tb); }});
    const Shape batch_b = tb ? Shape{2, 1, 5, 4} : Shape{2, 1, 4, 5};
    cases.push_back({"MatmulBatches" + to_text(turns), {ta ? Shape{3, 4, 2} : Shape{3, 2, 4}, batch_b}, [=](In x) {
                       return ops::matmul(x[0], ta, x[1], tb);
                     }});
  }
  cases.push_back(
      {"MatmulPlus", {{3, 4}, {4, 5}, {5}}, [](In x) { return ops::matmul(x[0], false, x[1], false, 2, x[2]); }});
  cases.push_back({"MatmulOfPermuted", {{3, 2, 4}, {4, 5}}, [](In x) {
                     const int32_t axes[] = {1, 0, 2};
                     return ops::matmul(ops::permute(x[0], axes), false, x[1], false);
                   }});
  for (const int32_t activation : {0, int32_t{RGM_SILU}, int32_t{RGM_GELU_TANH}}) {
    cases.push_back({"Linear" + to_text(activation), {{2, 3, 4}, {5, 4}, {5}, {2, 3, 5}}, [=](In x) {
                       return ops::linear(x[0], x[1], x[2], activation, x[3]);
                     }});
    cases.push_back({"LinearPlain" + to_text(activation), {{3, 4}, {5, 4}}, [=](In x) {
                       return ops::linear(x[0], x[1], {}, activation);
                     }});
  }
  cases.push_back({"LinearRowResidual", {{2, 3, 4}, {5, 4}, {3, 5}}, [](In x) {
                     return ops::linear(x[0], x[1], {}, RGM_RELU, x[2]);
                   }});
  cases.push_back(
      {"LinearTransposedWeight", {{3, 4}, {4, 5}}, [](In x) { return ops::linear(x[0], ops::transpose(x[1])); }});
  cases.push_back(
      {"LinearTwice", {{3, 4}, {4, 4}}, [](In x) { return ops::linear(ops::linear(x[0], x[1]), x[1], {}, 0, x[0]); }});
  cases.push_back({"LinearOfItself", {{3, 3}, {3}}, [](In x) {
                     const Tensor y = ops::linear(x[0], x[0], x[1]);
                     return y + x[0] * x[1];  // which is walked first
                   }});
}

inline void add_shapes(std::vector<Case>& cases) {
  using In = std::span<const Tensor>;
  for (int32_t op = RGM_SUM; op <= RGM_LOGSUMEXP; ++op) {
    cases.push_back({"ReduceAll" + to_text(op),
                     {{2, 3, 2}},
                     [op](In x) { return ops::reduce(op, ~0U, x[0]); },
                     -1,
                     1,
                     op == RGM_MAXIMUM});
    cases.push_back({"ReduceMiddle" + to_text(op),
                     {{2, 3, 2}},
                     [op](In x) { return ops::reduce(op, 2, x[0]); },
                     -1,
                     1,
                     op == RGM_MAXIMUM});
    cases.push_back({"ReduceKeep" + to_text(op),
                     {{2, 3, 2}},
                     [op](In x) { return ops::reduce(op, 5, x[0], true); },
                     -1,
                     1,
                     op == RGM_MAXIMUM});
  }
  cases.push_back({"SegmentSum", {{2, 4}}, [](In x) {
                     return ops::segment_sum(x[0], indices({1, 1, 2, 0, 3, 3, 3, 0}, {2, 4}), 3);
                   }});
  cases.push_back({"Reshape", {{2, 6}}, [](In x) { return ops::reshape(x[0], {3, -1}); }});
  cases.push_back({"ReshapeTransposed", {{2, 6}}, [](In x) { return ops::reshape(ops::transpose(x[0]), {4, 3}); }});
  cases.push_back({"Permute", {{2, 3, 4}}, [](In x) {
                     const int32_t axes[] = {2, 0, 1};
                     return ops::permute(x[0], axes);
                   }});
  cases.push_back({"Slice", {{3, 6}}, [](In x) { return ops::slice(x[0], 1, 2, 5); }});
  cases.push_back({"Slices", {{3, 6}}, [](In x) {
                     return ops::slice(x[0], -1, 0, 2) * ops::slice(x[0], 1, 2, 4) + ops::slice(x[0], 1, 3, 5);
                   }});
  cases.push_back({"Split", {{3, 6}}, [](In x) {
                     const int64_t sizes[] = {2, 2, 1, 1};
                     const auto parts = ops::split(x[0], 1, sizes);
                     return parts[0] * parts[1] + parts[3] + ops::slice(x[0], 1, 0, 2);
                   }});
  cases.push_back({"Concat", {{2, 3}, {2, 1}}, [](In x) {
                     const Tensor parts[] = {x[0], x[1], x[0]};
                     return ops::concat(parts, 1);
                   }});
  cases.push_back({"Gather", {{4, 3}}, [](In x) { return ops::gather(x[0], 0, indices({2, 0, 2, 3, 2})); }});
  cases.push_back({"GatherColumns", {{4, 3}}, [](In x) { return ops::gather(x[0], 1, indices({2, 2})); }});
  cases.push_back({"Broadcast", {{3, 1}}, [](In x) { return ops::broadcast(x[0], {2, 3, 4}); }});
  cases.push_back({"Contiguous", {{3, 4}}, [](In x) { return ops::contiguous(ops::transpose(x[0])); }});
  for (const int32_t axis : {0, 1, -1}) {
    const std::string name = to_text(axis + 1);
    cases.push_back({"Softmax" + name, {{3, 4, 2}}, [=](In x) { return ops::softmax(x[0], axis); }});
    cases.push_back({"LogSoftmax" + name, {{3, 4, 2}}, [=](In x) { return ops::log_softmax(x[0], axis); }});
    cases.push_back({"Cumsum" + name, {{3, 4, 2}}, [=](In x) { return ops::cumsum(x[0], axis); }});
  }
  cases.push_back({"TopK", {{3, 7}}, [](In x) { return ops::top_k(x[0], 3).first; }, -1, 1, true});
  cases.push_back({"Pick", {{2, 2, 5}}, [](In x) { return ops::pick(x[0], indices({4, 0, 1, 1}, {2, 2})); }});
  cases.push_back({"LayerNorm", {{2, 3, 5}, {5}, {5}}, [](In x) { return ops::layer_norm(x[0], x[1], x[2], 1e-5); }});
  cases.push_back({"LayerNormPlain", {{4, 5}, {5}}, [](In x) { return ops::layer_norm(x[0], x[1], {}, 1e-5); }});
  cases.push_back({"RmsNorm", {{2, 3, 5}, {5}}, [](In x) { return ops::rms_norm(x[0], x[1], 1e-6); }});
  cases.push_back({"NormOfItself", {{5}}, [](In x) {
                     const Tensor y = ops::layer_norm(x[0], x[0], x[0], 0.1);
                     return y + x[0] * x[0];  // which is walked first
                   }});
  cases.push_back({"Rope", {{2, 3, 2, 6}}, [](In x) {
                     return ops::rope(x[0], indices({0, 1, 2, 4, 3, 0}, {2, 3}), sample({5, 2}, 8), sample({5, 2}, 9));
                   }});
}

inline void add_attention(std::vector<Case>& cases) {
  const auto add = [&](const char* name, std::vector<Shape> shapes,
                       const std::function<ops::AttentionOptions()>& options) {
    cases.push_back({std::string("Attention") + name, std::move(shapes), [options](std::span<const Tensor> x) {
                       const RandomScope scope({.seed = 5});
                       return ops::attention(x[0], x[1], x[2], options());
                     }});
  };
  using O = ops::AttentionOptions;
  const std::vector<Shape> same{{2, 4, 2, 3}, {2, 4, 2, 3}, {2, 4, 2, 3}};
  const std::vector<Shape> grouped{{1, 3, 4, 2}, {1, 5, 2, 2}, {1, 5, 2, 3}};
  const auto segments = [] { return indices({1, 1, 2, 0, 3, 3, 3, 3}, {2, 4}); };
  add("", same, [] { return O{}; });
  add("Full", same, [] { return O{.causal = false, .scale = 0.7}; });
  add("Grouped", grouped, [] { return O{}; });
  add("Softcap", same, [] { return O{.softcap = 1.5}; });
  add("Window", same, [] { return O{.window = 2}; });
  add("WindowPrefix", grouped, [] { return O{.window = 2, .prefix = 1}; });
  add("Segments", same, [=] { return O{.q_segments = segments(), .k_segments = segments()}; });
  add("SegmentsPrefix", same, [=] { return O{.prefix = 1, .q_segments = segments(), .k_segments = segments()}; });
  add("Lengths", {{2, 2, 2, 3}, {2, 5, 2, 3}, {2, 5, 2, 3}}, [] { return O{.k_lengths = indices({3, 5})}; });
  add("Dropout", same, [] { return O{.dropout = 0.3}; });
}

inline void add_heads(std::vector<Case>& cases) {
  using In = std::span<const Tensor>;
  const auto targets = [] { return indices({2, 0, -1, 5}); };
  for (const double softcap : {0.0, 1.5}) {
    const std::string suffix = softcap > 0 ? "Softcap" : "";
    const ops::HeadOptions o{.scale = 0.8, .softcap = softcap};
    cases.push_back({"HeadLogprobs" + suffix, {{4, 3}, {6, 3}}, [=](In x) {
                       return ops::head_logprobs(x[0], x[1], targets(), false, o).first;
                     }});
    cases.push_back({"HeadEntropy" + suffix, {{4, 3}, {6, 3}}, [=](In x) {
                       return ops::head_logprobs(x[0], x[1], targets(), true, o).second;
                     }});
    cases.push_back({"HeadBoth" + suffix, {{4, 3}, {6, 3}}, [=](In x) {
                       const auto [logprobs, entropy] = ops::head_logprobs(x[0], x[1], targets(), true, o);
                       return logprobs * entropy;
                     }});
    cases.push_back({"HeadCrossEntropy" + suffix, {{4, 3}, {6, 3}, {4}}, [=](In x) {
                       return ops::head_cross_entropy(x[0], x[1], targets(), x[2], o);
                     }});
    for (int32_t kind = RGM_FORWARD_KL; kind <= RGM_JENSEN_SHANNON; ++kind)
      cases.push_back(
          {"HeadDivergence" + to_text(kind) + suffix, {{4, 3}, {6, 3}, {4}}, [=](In x) {
             return ops::head_divergence(x[0], x[1], sample({4, 2}, 21), sample({6, 2}, 22), x[2], kind, o, o);
           }});
    cases.push_back({"HeadDivergenceOfSomeRows" + suffix, {{4, 3}, {6, 3}}, [=](In x) {
                       return ops::head_divergence(x[0], x[1], sample({4, 2}, 21), sample({6, 2}, 22),
                                                   values({0, 1, 0, 0.5F}), RGM_REVERSE_KL, o, o);
                     }});
    cases.push_back({"HeadDivergenceOfAShare" + suffix, {{4, 3}, {6, 3}, {4}}, [=](In x) {
                       return ops::head_divergence(x[0], x[1], sample({4, 2}, 21), sample({6, 2}, 22), x[2],
                                                   RGM_JENSEN_SHANNON, o, o, 0.2);
                     }});
  }
}

inline const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> list;
    add_elementwise(list);
    add_products(list);
    add_shapes(list);
    add_attention(list);
    add_heads(list);
    return list;
  }();
  return cases;
}

inline std::vector<Tensor> inputs_of(const Case& c) {
  std::vector<Tensor> out;
  int64_t made = 0;
  for (size_t i = 0; i < c.shapes.size(); ++i) {
    std::vector<float> list = numbers(c.shapes[i].count(), static_cast<uint32_t>(i + 1), c.low, c.high);
    for (float& x : list)
      if (c.apart) x = 0.1f * static_cast<float>(++made * 37 % 101 - 50);  // 37 walks through all of 101
    out.push_back(from_host(std::span<const float>(list), c.shapes[i]));
  }
  return out;
}

}  // namespace rgm::test
