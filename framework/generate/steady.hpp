// steady.hpp - the step of decoding while the same rows go on: its inputs lie where they lay the step before, so that
// what it enqueues is captured once and then enqueued as a whole.
#pragma once
#include <optional>
#include <vector>

#include "generate/generate.hpp"
#include "tensor/captured.hpp"
#include "tensor/ops.hpp"

namespace rgm {

struct NextToken {
  int32_t token = 0;
  float logprob = 0;
};
std::vector<NextToken> fetched(const ops::Drawn& drawn);  // waits; fails where a row has no token

class SteadyStep {
 public:
  // `choose` draws from the last states (B, C) on the device, which has done so before; tokens (B) were read for them.
  using Choose =
      std::function<std::optional<ops::Drawn>(const Tensor& hidden, const Tensor& tokens, const Tensor& draws)>;
  SteadyStep(const Model& model, int64_t rows, Choose choose);

  // Reads one token of each row behind what the cache has of it, and draws the next. Nothing where the device does
  // not offer both, to draw and to capture: then nothing was done.
  std::optional<std::vector<NextToken>> run(std::span<const int32_t> tokens, std::span<const int32_t> draws,
                                            KeyValueCache& cache);

 private:
  void place(std::span<const int32_t> tokens, std::span<const int32_t> draws, const KeyValueCache& cache);
  void enqueue(KeyValueCache& cache);
  const Model& model_;
  Choose choose_;
  Tensor inputs_;  // (5, rows): what pass_ and draws_ see parts of, so that one upload renews them
  Pass pass_;
  Tensor draws_;
  std::vector<int32_t> values_;  // on their way there
  ops::Drawn drawn_;
  int runs_ = 0;
  uint64_t kernels_set_ = 0;  // when it was captured: who times kernels wants to see them
  bool refused_ = false;
  std::optional<Captured> captured_;
};

}  // namespace rgm
