// hybrid.hpp - small numbers as runs of one value or packed bit by bit: the levels of values, and what they are in a
// dictionary. https://github.com/apache/parquet-format/blob/master/Encodings.md#RLE
#pragma once
#include <cstdint>
#include <string_view>

#include "base/error.hpp"

namespace rgm::parquet {

// The unsigned number of variable length that `bytes` begin with, which is taken off them.
inline uint64_t take_varint(std::string_view& bytes) {
  uint64_t out = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    require(!bytes.empty(), "ends in the middle of a number");
    const auto one = static_cast<uint8_t>(bytes[0]);
    bytes.remove_prefix(1);
    out |= uint64_t{one & 127U} << shift;
    if (one < 128) return out;
  }
  invalid("has a number of more than 64 bits");
}

// `width` bits from bit `at` on, the lowest first. They have to be there.
inline uint64_t bits_at(std::string_view bytes, uint64_t at, int width) {
  uint64_t out = 0;
  for (int done = 0; done < width;) {
    const int shift = static_cast<int>(at & 7), taken = std::min(8 - shift, width - done);
    const uint64_t byte = static_cast<uint8_t>(bytes[at >> 3]);
    out |= ((byte >> shift) & ((1U << taken) - 1)) << done;
    done += taken;
    at += static_cast<uint64_t>(taken);
  }
  return out;
}

class Hybrid {
 public:
  Hybrid() = default;
  Hybrid(std::string_view bytes, int width) : bytes_(bytes), width_(width) {
    require(width >= 0 && width <= 32, "has numbers of {} bits", width);
  }

  uint32_t next() {
    while (left_ == 0) next_run();
    --left_;
    if (!is_packed_) return value_;
    require(bit_ + static_cast<uint64_t>(width_) <= 8 * packed_.size(), "ends in the middle of packed numbers");
    const auto out = static_cast<uint32_t>(bits_at(packed_, bit_, width_));
    bit_ += static_cast<uint64_t>(width_);
    return out;
  }

 private:
  void next_run() {
    require(!bytes_.empty(), "has fewer numbers than it should");
    const uint64_t head = take_varint(bytes_);
    require(head >> 1 <= UINT32_MAX, "has a run of {} numbers", head >> 1);
    is_packed_ = head & 1;
    if (is_packed_) {
      left_ = (head >> 1) * 8;
      const uint64_t size = (head >> 1) * static_cast<uint64_t>(width_);
      packed_ = bytes_.substr(0, size);  // of the last run, some writers leave out what nobody reads
      bytes_.remove_prefix(packed_.size());
      bit_ = 0;
      return;
    }
    left_ = head >> 1;
    const auto size = static_cast<size_t>((width_ + 7) / 8);
    require(bytes_.size() >= size, "ends in the middle of a run");
    value_ = 0;
    for (size_t i = 0; i < size; ++i) value_ |= uint32_t{static_cast<uint8_t>(bytes_[i])} << (8 * i);
    bytes_.remove_prefix(size);
  }

  std::string_view bytes_, packed_;
  int width_ = 0;
  bool is_packed_ = false;
  uint64_t left_ = 0, bit_ = 0;
  uint32_t value_ = 0;
};

}  // namespace rgm::parquet
