// budget.hpp - how much memory a file may ask for: in proportion to its own size, so that a few bytes that claim
// millions of values are refused before they are unpacked.
#pragma once
#include <cstddef>

#include "base/error.hpp"
#include "base/text.hpp"

namespace rgm::parquet {

class Budget {
 public:
  static constexpr size_t always = 64'000'000, per_byte = 256;

  explicit Budget(size_t file_bytes) : file_bytes_(file_bytes), most_(always + per_byte * file_bytes) {}

  void take(size_t bytes) {
    require(bytes <= most_ && used_ <= most_ - bytes,
            "asks for more memory than the {} that a file of {} bytes may take: {} and {} times its size",
            bytes_for_people(most_), file_bytes_, bytes_for_people(always), per_byte);
    used_ += bytes;
  }
  void give(size_t bytes) { used_ -= bytes; }

 private:
  size_t file_bytes_, most_, used_ = 0;
};

// What one part of the reader has taken, which it gives back.
class Share {
 public:
  explicit Share(Budget& budget) : budget_(budget) {}
  ~Share() { give(); }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;
  void take(size_t bytes) {
    budget_.take(bytes);
    bytes_ += bytes;
  }
  void give() {
    budget_.give(bytes_);
    bytes_ = 0;
  }

 private:
  Budget& budget_;
  size_t bytes_ = 0;
};

}  // namespace rgm::parquet
