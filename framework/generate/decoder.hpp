// decoder.hpp - rows that are decoded side by side, from their prompts to their last tokens.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "generate/endings.hpp"
#include "generate/row_reader.hpp"
#include "generate/token_chooser.hpp"

namespace rgm {

class Decoder {
 public:
  // Sees each token as it comes, with the index of its row.
  using Tap = std::function<void(int64_t, int32_t)>;
  // `adapters`: as RowReader has them
  Decoder(const Model& model, const Sampling& sampling, bool slide, const Tap& tap, std::span<const int32_t> adapters)
      : reader_(model, sampling, slide, adapters),
        chooser_(model, sampling),
        endings_(model, sampling),
        tap_(tap),
        max_tokens_(sampling.max_tokens) {}

  const RowReader& reader() const { return reader_; }
  void run(std::span<DecodingRow> all);

 private:
  struct State {
    std::vector<DecodingRow*> rows;
    std::optional<KeyValueCache> cache;
    Tensor hidden;  // (B, C) behind what is read of each row
  };
  void take_in(std::span<DecodingRow*> fresh, int64_t slots, State& to) const;
  void keep_going(std::span<const NextToken> chosen, State& state) const;
  bool goes_on(DecodingRow& row, const NextToken& choice) const;

  RowReader reader_;
  TokenChooser chooser_;
  Endings endings_;
  const Tap& tap_;
  int64_t max_tokens_;
};

}  // namespace rgm
