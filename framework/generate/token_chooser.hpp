// token_chooser.hpp - the next token of each row, from the last states of what the model has read: drawn on the device
// where that is offered, and from then on in one piece with the pass that comes before it.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "generate/decoding_row.hpp"
#include "generate/repetition.hpp"
#include "generate/steady.hpp"

namespace rgm {

class TokenChooser {
 public:
  TokenChooser(const Model& model, const Sampling& sampling);

  std::vector<NextToken> choose(std::span<DecodingRow* const> rows, const Tensor& hidden);
  // Reads the last token of each row and chooses the next one. Nothing, and then nothing was done, unless the same rows
  // have gone on for a while and the device offers both, to draw and to capture.
  std::optional<std::vector<NextToken>> read_and_choose(std::span<DecodingRow* const> rows, KeyValueCache& cache);
  // A row has lost the beginning of its text.
  void forget();

 private:
  struct Likelihoods {
    Tensor words;      // (B, words) log-probabilities of what may be chosen, by themselves
    Tensor share;      // (B) log of what these have of all that the model knows; empty: all
    Tensor penalized;  // (B, words) log-probabilities under the repetition penalty; empty: `words`
    const Tensor& choice() const { return penalized ? penalized : words; }
  };
  Likelihoods likelihoods(const Tensor& hidden, const Repetition* repetition) const;
  std::optional<ops::Drawn> drawn(const Likelihoods& all, const Tensor& draws) const;
  std::vector<NextToken> drawn_here(const Likelihoods& all, std::span<const int32_t> draws) const;
  std::vector<int32_t> draws(std::span<DecodingRow* const> rows) const;
  std::optional<Repetition> repetition_of(std::span<DecodingRow* const> rows) const;
  void begin_steady();

  const Model& model_;
  const Sampling& sampling_;
  int64_t words_;             // what the model has more of, to make its products round, is never chosen
  bool draws_there_ = false;  // the device has drawn tokens
  int same_rows_ = 0;         // steps for which steady_rows_ have gone on together
  std::vector<DecodingRow*> steady_rows_;
  std::optional<Repetition> steady_repetition_;  // of these; read and added to by what steady_ captures
  std::optional<SteadyStep> steady_;
};

}  // namespace rgm
