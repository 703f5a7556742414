// row_reader.hpp - what rows of text go through the model: prompts into a cache of their own, then one token of each
// row at a time, and half of a text again where the other half is forgotten.
#pragma once
#include <span>
#include <utility>
#include <vector>

#include "generate/decoding_row.hpp"

namespace rgm {

class RowReader {
 public:
  // `adapters`: of the prompts, all with as many virtual tokens as the first
  RowReader(const Model& model, const Sampling& sampling, bool slide, std::span<const int32_t> adapters);

  int64_t room() const { return room_; }      // for text, in the context
  bool slides() const { return slide_; }      // and forgets, where there is none
  bool is_by_row() const { return by_row_; }  // rows name their adapters

  // The part of a prompt that is read. RGM_INVALID where that leaves no room for a token behind it.
  std::vector<int32_t> fitted(const std::vector<int32_t>& prompt, size_t index) const;
  // Slots that the longest of these needs to its last token.
  int64_t capacity(std::span<DecodingRow* const> rows) const;
  // The rows in parts that are read together without filling up much: they are put in order for that.
  std::vector<std::span<DecodingRow* const>> alike(std::span<DecodingRow*> rows) const;

  // Reads new rows into a cache of their own and answers their last states (B, C). A text that several rows have in
  // common, as answers to one prompt do, is read once.
  std::pair<Tensor, KeyValueCache> read(std::span<DecodingRow* const> rows, int64_t slots) const;
  // Reads the last token of each row, and answers the states behind it.
  Tensor read_last(std::span<DecodingRow* const> rows, KeyValueCache& cache) const;
  // Reads the younger half of the row's text again, but for its last token, which is read with the other rows'.
  void forget_half(DecodingRow& row, int64_t b, KeyValueCache& cache) const;

 private:
  std::vector<int32_t> adapters_of(std::span<DecodingRow* const> rows) const;

  const Model& model_;
  int64_t max_tokens_;
  int64_t front_;  // virtual tokens
  int64_t room_;
  bool slide_, by_row_;
};

}  // namespace rgm
