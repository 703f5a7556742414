// values.cpp - values as they are, as places in a dictionary, and with their bytes apart.
#include "parquet/values.hpp"

#include <cstring>

#include "base/error.hpp"
#include "parquet/hybrid.hpp"

namespace rgm::parquet {
namespace {

template <class T>
T raw(std::string_view bytes) {
  T out;
  std::memcpy(&out, bytes.data(), sizeof out);
  return out;
}

std::string_view take(std::string_view& from, size_t size) {
  require(size <= from.size(), "ends in the middle of a value");
  const std::string_view out = from.substr(0, size);
  from.remove_prefix(size);
  return out;
}

class PlainValues final : public Values {
 public:
  PlainValues(const SchemaElement& type, std::string_view bytes)
      : type_(*type.type), size_(fixed_size(type)), bytes_(bytes) {}

  Value next() override {
    if (type_ == Physical::boolean) {
      require(bit_ / 8 < bytes_.size(), "has fewer values than it should");
      const uint64_t at = bit_++;
      return {.whole = static_cast<int64_t>(bits_at(bytes_, at, 1))};
    }
    if (size_ > 0) return fixed_value(type_, take(bytes_, size_));
    const auto length = raw<uint32_t>(take(bytes_, 4));
    return {.bytes = take(bytes_, length)};
  }

 private:
  const Physical type_;
  const size_t size_;
  std::string_view bytes_;
  uint64_t bit_ = 0;
};

class BooleanRuns final : public Values {
 public:
  explicit BooleanRuns(std::string_view bytes) {
    const auto size = raw<uint32_t>(take(bytes, 4));
    runs_ = Hybrid(take(bytes, size), 1);
  }
  Value next() override { return {.whole = runs_.next()}; }

 private:
  Hybrid runs_;
};

class DictionaryValues final : public Values {
 public:
  // The first byte is the width of the places; of a page without values there may be none.
  DictionaryValues(std::string_view bytes, const Dictionary& dictionary)
      : places_(bytes.substr(std::min<size_t>(1, bytes.size())), bytes.empty() ? 0 : bytes[0]),
        dictionary_(dictionary) {}
  Value next() override {
    const uint32_t place = places_.next();
    require(place < dictionary_.size(), "has value {} of a dictionary of {}", place, dictionary_.size());
    return dictionary_[place];
  }

 private:
  Hybrid places_;
  const Dictionary& dictionary_;
};

// The first bytes of all values, then the second ones ...
class SplitValues final : public Values {
 public:
  SplitValues(const SchemaElement& type, std::string_view bytes)
      : type_(*type.type), bytes_(bytes), size_(fixed_size(type)), one_(std::min(size_, bytes.size()), '\0') {
    require(bytes.size() % size_ == 0, "has {} bytes of values that have {} each", bytes.size(), size_);
  }
  Value next() override {
    const size_t count = bytes_.size() / size_;
    require(at_ < count, "has fewer values than it should");
    for (size_t i = 0; i < size_; ++i) one_[i] = bytes_[i * count + at_];
    ++at_;
    return fixed_value(type_, one_);
  }

 private:
  const Physical type_;
  const std::string_view bytes_;
  const size_t size_;
  std::string one_;
  size_t at_ = 0;
};

}  // namespace

size_t fixed_size(const SchemaElement& type) {
  switch (*type.type) {
    case Physical::int32:
    case Physical::float32: return 4;
    case Physical::int64:
    case Physical::float64: return 8;
    case Physical::int96: return 12;
    case Physical::fixed_bytes: return static_cast<size_t>(type.length);
    default: return 0;
  }
}

Value fixed_value(Physical type, std::string_view bytes) {
  switch (type) {
    case Physical::int32: return {.whole = raw<int32_t>(bytes)};
    case Physical::int64: return {.whole = raw<int64_t>(bytes)};
    case Physical::float32: return {.real = raw<float>(bytes)};
    case Physical::float64: return {.real = raw<double>(bytes)};
    default: return {.bytes = bytes};
  }
}

std::unique_ptr<Values> plain_values(const SchemaElement& type, std::string_view bytes) {
  return std::make_unique<PlainValues>(type, bytes);
}

std::unique_ptr<Values> values_of(Encoding encoding, const SchemaElement& type, std::string_view bytes, int64_t count,
                                  const Dictionary* dictionary) {
  switch (encoding) {
    case Encoding::plain: return plain_values(type, bytes);
    case Encoding::plain_dictionary:
    case Encoding::rle_dictionary:
      require(dictionary != nullptr, "has values of a dictionary, but no dictionary");
      return std::make_unique<DictionaryValues>(bytes, *dictionary);
    case Encoding::rle:
      if (type.type == Physical::boolean) return std::make_unique<BooleanRuns>(bytes);
      break;
    case Encoding::byte_stream_split:
      if (fixed_size(type) > 0) return std::make_unique<SplitValues>(type, bytes);
      break;
    case Encoding::delta_binary_packed:
      if (type.type == Physical::int32 || type.type == Physical::int64)
        return delta_values(encoding, type, bytes, count);
      break;
    case Encoding::delta_length_byte_array:
      if (type.type == Physical::bytes) return delta_values(encoding, type, bytes, count);
      break;
    case Encoding::delta_byte_array:
      if (type.type == Physical::bytes || type.type == Physical::fixed_bytes)
        return delta_values(encoding, type, bytes, count);
      break;
    default: break;
  }
  throw Unsupported(fmt::format(
      "has {} values in the encoding {}, which is not read here; write the file again with PLAIN or a dictionary",
      name_of(*type.type), name_of(encoding)));
}

}  // namespace rgm::parquet
