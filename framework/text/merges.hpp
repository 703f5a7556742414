// merges.hpp - the merges of a BPE (Sennrich et al., arXiv 1508.07909): symbols become fewer, the lowest rank first.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace rgm {

class Merges {
 public:
  void reserve(size_t n) { merges_.reserve(n); }
  // The first merges first; of one that is added twice the later holds, as in Hugging Face's reader.
  void add(int32_t left, int32_t right, int32_t whole) { merges_[pair_of(left, right)] = {rank_++, whole}; }
  // Appends what is left of the symbols when no pair can be merged: n log n for n of them.
  void merge(std::span<const int32_t> symbols, std::vector<int32_t>& out) const;
  static uint64_t pair_of(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }

 private:
  struct Merge {
    int32_t rank, whole;
  };
  struct Hash {
    size_t operator()(uint64_t pair) const {
      return static_cast<size_t>((pair ^ pair >> 29) * 0x9E3779B97F4A7C15U >> 7);
    }
  };
  std::unordered_map<uint64_t, Merge, Hash> merges_;
  int32_t rank_ = 0;
};

}  // namespace rgm
