// budget.hpp - how much memory a file may ask for: in proportion to its own size, so that a few bytes that claim
// millions of values are refused before they are unpacked.
#pragma once
#include <fmt/format.h>

#include <cstddef>

#include "base/text.hpp"
#include "parquet/metadata.hpp"

namespace rgm::parquet {

class Budget {
 public:
  static constexpr size_t per_byte = 256;

  Budget(size_t always, size_t file_bytes)
      : always_(always), file_bytes_(file_bytes), most_(always + per_byte * file_bytes) {}

  // Unsupported: the column asks for too much, and may be one that nobody reads.
  void take(size_t bytes) {
    if (bytes > most_ || used_ > most_ - bytes)
      throw Unsupported(fmt::format(
          "asks for more memory than the {} that a file of {} bytes may take: {} and {} times its size; write it again "
          "with smaller pages and shorter rows",
          bytes_for_people(most_), file_bytes_, bytes_for_people(always_), per_byte));
    used_ += bytes;
  }
  void give(size_t bytes) { used_ -= bytes; }

 private:
  size_t always_, file_bytes_, most_, used_ = 0;
};

// What one part of the reader has taken, which it gives back.
class Share {
 public:
  explicit Share(Budget& budget) : budget_(budget) {}
  ~Share() { give(); }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;
  size_t bytes() const { return bytes_; }
  void take(size_t bytes) {
    budget_.take(bytes);
    bytes_ += bytes;
  }
  void give(size_t all_but = 0) {
    budget_.give(bytes_ - all_but);
    bytes_ = all_but;
  }

 private:
  Budget& budget_;
  size_t bytes_ = 0;
};

}  // namespace rgm::parquet
