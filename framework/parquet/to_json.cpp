// to_json.cpp - values of every type that a row of JSON can hold.
#include "parquet/to_json.hpp"

#include <bit>
#include <charconv>
#include <cmath>

#include "base/error.hpp"
#include "base/json.hpp"

namespace rgm::parquet {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

// The shortest decimal that is this float, so that 0.1 reads as 0.1.
Json number(float value) {
  if (!std::isfinite(value)) return {};
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double out = 0;
  std::from_chars(text, end, out);
  return out;
}

// IEEE 754's 16 bits: sign, 5 of exponent, 10 of fraction.
float half(std::string_view bytes) {
  const int bits = static_cast<uint8_t>(bytes[0]) | static_cast<uint8_t>(bytes[1]) << 8;
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                      : exponent == 0 ? std::ldexp(fraction, -24)
                                      : std::ldexp(1024 + fraction, exponent - 25);
  return static_cast<float>(bits >> 15 ? -size : size);
}

Json decimal(const Value& value, const SchemaElement& type) {
  std::string bytes(value.bytes);
  if (type.type == Physical::int32 || type.type == Physical::int64)
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value.whole >> shift);
  const std::string text = decimal_text(bytes, type.scale);
  constexpr int64_t exact_digits = 15, whole_digits = 18;  // of a double, of an int64
  if (type.digits > (type.scale == 0 ? whole_digits : exact_digits)) return text;
  if (type.scale == 0) {
    int64_t whole = 0;
    std::from_chars(text.data(), text.data() + text.size(), whole);
    return whole;
  }
  double real = 0;
  std::from_chars(text.data(), text.data() + text.size(), real);
  return real;
}

Json text(std::string_view bytes, const SchemaElement& type) {
  if (const auto at = invalid_utf8(bytes))
    throw Unsupported(
        fmt::format("holds bytes that are no UTF-8 text ({}{}); keep it as text, or leave it out of what is read",
                    name_of(*type.type), type.meaning == Meaning::text ? ", said to be text" : ""));
  return std::string(bytes);
}

Json whole(const Value& value, const SchemaElement& type) {
  const bool is_narrow = type.type == Physical::int32;
  switch (type.meaning) {
    case Meaning::date: return date_text(value.whole);
    case Meaning::time: return time_text(value.whole, type.second);
    case Meaning::timestamp: return timestamp_text(value.whole, type);
    case Meaning::unsigned_whole:
      return is_narrow ? Json(static_cast<uint32_t>(value.whole)) : Json(static_cast<uint64_t>(value.whole));
    default: return value.whole;
  }
}

// The sizes that the meaning of fixed bytes wants.
void check_size(const SchemaElement& type, int64_t wanted) {
  require(type.type == Physical::fixed_bytes && type.length == wanted, "has values of {} bytes, {} were expected",
          type.length, wanted);
}

}  // namespace

Json to_json(const Value& value, const SchemaElement& type) {
  if (type.meaning == Meaning::other)
    throw Unsupported(fmt::format("holds {}, which no row of JSON can; leave it out of what is read", type.other));
  if (type.meaning == Meaning::decimal && type.type != Physical::boolean && type.type != Physical::float32 &&
      type.type != Physical::float64)
    return decimal(value, type);
  switch (*type.type) {
    case Physical::boolean: return value.whole != 0;
    case Physical::int32:
    case Physical::int64: return whole(value, type);
    case Physical::int96: return int96_text(value.bytes);
    case Physical::float32: return number(static_cast<float>(value.real));
    case Physical::float64: return number(value.real);
    default: break;
  }
  if (type.meaning == Meaning::uuid) {
    check_size(type, 16);
    return uuid_text(value.bytes);
  }
  if (type.meaning == Meaning::float16) {
    check_size(type, 2);
    return number(half(value.bytes));
  }
  if (type.is_json)
    if (Json said = json_or_discarded<Json>(value.bytes); !said.is_discarded()) return said;
  return text(value.bytes, type);
}

}  // namespace rgm::parquet
