// thrift.cpp - numbers of variable length, and what is skipped.
#include "parquet/thrift.hpp"

namespace rgm::parquet {

uint64_t Thrift::unsigned_whole() {
  uint64_t out = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint8_t one = next();
    out |= uint64_t{one & 127U} << shift;
    if (one < 128) return out;
  }
  invalid("has a number of more than 64 bits");
}

int64_t Thrift::whole() {
  const uint64_t folded = unsigned_whole();  // 0, -1, 1, -2 ...
  return static_cast<int64_t>(folded >> 1) ^ -static_cast<int64_t>(folded & 1);
}

void Thrift::take(Type type) {
  require(is_pending_ == type, "has a value of type {} where {} was expected", static_cast<int>(is_pending_),
          static_cast<int>(type));
  is_pending_ = stop;
  is_in_list_ = false;
}

int64_t Thrift::integer() {
  if (is_pending_ == byte) {
    take(byte);
    return static_cast<int8_t>(next());
  }
  take(is_pending_ == i16 ? i16 : is_pending_ == i32 ? i32 : i64);
  return whole();
}

bool Thrift::boolean() {
  const bool is_yes = is_in_list_ ? next() == yes : is_pending_ == yes;
  take(is_pending_ == no ? no : yes);
  return is_yes;
}

std::string_view Thrift::text() {
  take(binary);
  const uint64_t length = unsigned_whole();
  require(length <= bytes_.size() - at_, "has a text of {} bytes where {} are left", length, bytes_.size() - at_);
  at_ += length;
  return bytes_.substr(at_ - length, length);
}

void Thrift::skip() {
  const Type type = is_pending_;
  switch (type) {
    case yes:
    case no: boolean(); return;
    case byte:
    case i16:
    case i32:
    case i64: integer(); return;
    case binary: text(); return;
    case real:
      take(real);
      for (int i = 0; i < 8; ++i) next();
      return;
    case structure: each_field_inside([](Field) {}); return;
    case list:
    case set: {
      const Deeper depth(*this);
      is_pending_ = list;
      each_of_list([] {});
      return;
    }
    case map: {
      const Deeper depth(*this);
      take(map);
      const uint64_t count = unsigned_whole();
      const uint8_t types = count ? next() : 0;
      for (uint64_t i = 0; i < 2 * count; ++i) {
        is_pending_ = static_cast<Type>(i % 2 ? types & 15 : types >> 4);
        is_in_list_ = true;
        skip();
      }
      return;
    }
    default: invalid("has a value of the unknown type {}", static_cast<int>(type));
  }
}

}  // namespace rgm::parquet
