// values_delta.cpp - values as differences from the one before: numbers, lengths of texts, and texts without what they
// share with the one before. https://github.com/apache/parquet-format/blob/master/Encodings.md#DELTAENC
#include "base/error.hpp"
#include "parquet/hybrid.hpp"
#include "parquet/values.hpp"

namespace rgm::parquet {
namespace {

int64_t folded(uint64_t value) { return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1); }

// Blocks of differences above their smallest one, in parts that have a width of bits each.
class Deltas {
 public:
  Deltas(std::string_view bytes, int64_t most) : bytes_(bytes) {
    const uint64_t block = take_varint(bytes_);
    parts_ = take_varint(bytes_);
    left_ = take_varint(bytes_);
    value_ = static_cast<uint64_t>(folded(take_varint(bytes_)));
    require(parts_ > 0 && parts_ <= 1 << 16 && block > 0 && block <= 1 << 24 && block % parts_ == 0 &&
                block / parts_ % 8 == 0,
            "has blocks of {} differences in {} parts", block, parts_);
    part_ = block / parts_;
    require(left_ <= static_cast<uint64_t>(most), "has {} differences where at most {} are", left_, most);
  }

  int64_t next() {
    require(left_ > 0, "has fewer values than it should");
    --left_;
    if (!is_first_) {
      if (left_in_part_ == 0) next_part();
      --left_in_part_;
      value_ += smallest_ + bits_at(packed_, bit_, width_);
      bit_ += static_cast<uint64_t>(width_);
    }
    is_first_ = false;
    return static_cast<int64_t>(value_);
  }

  // What follows all of them.
  static std::string_view behind(std::string_view bytes, int64_t most) {
    Deltas all(bytes, most);
    if (all.left_ > 0) --all.left_;  // the first one lies in the head
    while (all.left_ > 0) {
      all.next_part();
      all.left_ -= std::min(all.left_, all.part_);
    }
    return all.bytes_;
  }

 private:
  void next_part() {
    if (widths_.empty()) {
      smallest_ = static_cast<uint64_t>(folded(take_varint(bytes_)));
      require(bytes_.size() >= parts_, "ends in the middle of a block of differences");
      widths_ = bytes_.substr(0, parts_);
      bytes_.remove_prefix(parts_);
    }
    width_ = static_cast<uint8_t>(widths_[0]);
    widths_.remove_prefix(1);
    require(width_ <= 64, "has differences of {} bits", width_);
    const uint64_t size = part_ / 8 * static_cast<uint64_t>(width_);
    require(size <= bytes_.size(), "ends in the middle of a block of differences");
    packed_ = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    left_in_part_ = part_;
    bit_ = 0;
  }

  std::string_view bytes_, widths_, packed_;
  uint64_t parts_ = 0, part_ = 0, left_ = 0, value_ = 0, smallest_ = 0, left_in_part_ = 0, bit_ = 0;
  int width_ = 0;
  bool is_first_ = true;
};

class DeltaNumbers final : public Values {
 public:
  DeltaNumbers(std::string_view bytes, int64_t count, bool is_narrow) : deltas_(bytes, count), is_narrow_(is_narrow) {}
  Value next() override {
    const int64_t value = deltas_.next();
    return {.whole = is_narrow_ ? static_cast<int32_t>(value) : value};
  }

 private:
  Deltas deltas_;
  const bool is_narrow_;
};

// Lengths, then the bytes of all.
class DeltaLengths final : public Values {
 public:
  DeltaLengths(std::string_view bytes, int64_t count) : lengths_(bytes, count), bytes_(Deltas::behind(bytes, count)) {}
  Value next() override {
    const int64_t length = lengths_.next();
    require(length >= 0 && length <= std::ssize(bytes_), "has a text of {} bytes where {} are left", length,
            bytes_.size());
    const std::string_view out = bytes_.substr(0, static_cast<size_t>(length));
    bytes_.remove_prefix(out.size());
    return {.bytes = out};
  }

 private:
  Deltas lengths_;
  std::string_view bytes_;
};

// How long the beginning is that each shares with the one before, then their ends.
class DeltaTexts final : public Values {
 public:
  DeltaTexts(std::string_view bytes, int64_t count, int64_t length)
      : shared_(bytes, count), ends_(Deltas::behind(bytes, count), count), length_(length) {}
  Value next() override {
    const int64_t shared = shared_.next();
    require(shared >= 0 && shared <= std::ssize(last_), "shares {} bytes with a text of {}", shared, last_.size());
    last_.resize(static_cast<size_t>(shared));
    last_ += ends_.next().bytes;
    require(length_ == 0 || std::ssize(last_) == length_, "has a value of {} bytes where all have {}", last_.size(),
            length_);
    return {.bytes = last_};
  }

 private:
  Deltas shared_;
  DeltaLengths ends_;
  std::string last_;
  const int64_t length_;
};

}  // namespace

std::unique_ptr<Values> delta_values(Encoding encoding, const SchemaElement& type, std::string_view bytes,
                                     int64_t count) {
  if (encoding == Encoding::delta_binary_packed)
    return std::make_unique<DeltaNumbers>(bytes, count, type.type == Physical::int32);
  if (encoding == Encoding::delta_length_byte_array) return std::make_unique<DeltaLengths>(bytes, count);
  return std::make_unique<DeltaTexts>(bytes, count, type.type == Physical::fixed_bytes ? type.length : 0);
}

}  // namespace rgm::parquet
