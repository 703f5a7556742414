// schema_element.cpp - one line of the schema. What its values stand for is said twice: in the older words (converted
// type), and in newer ones that count where both are there (logical type).
#include "parquet/schema_element.hpp"

#include <array>

namespace rgm::parquet {
namespace {

// The older words, by number.
void read_converted(int64_t value, SchemaElement& out) {
  using enum Meaning;
  constexpr std::array<Meaning, 22> meanings = {
      text,  map,       other,     list,           text,           decimal,        date,           time,
      time,  timestamp, timestamp, unsigned_whole, unsigned_whole, unsigned_whole, unsigned_whole, plain,
      plain, plain,     plain,     text,           other,          other};
  if (value < 0 || value >= std::ssize(meanings)) return;
  if (value == 2) {  // MAP_KEY_VALUE, which old writers say of a map
    out.meaning = map;
    return;
  }
  out.meaning = meanings[static_cast<size_t>(value)];
  if (value == 8 || value == 10) out.second = 1'000'000;
  if (value == 9 || value == 10) out.is_utc = true;
  out.is_json = value == 19;
  if (value == 20) out.other = "BSON";
  if (value == 21) out.other = "an interval";
}

int64_t second_of(Thrift& in) {
  int64_t out = 1'000;
  in.each_field_inside([&](Thrift::Field unit) {
    if (unit.id == 2) out = 1'000'000;
    if (unit.id == 3) out = 1'000'000'000;
  });
  return out;
}

// A union: one field of it is there.
void read_logical(Thrift& in, SchemaElement& out) {
  using enum Meaning;
  in.each_field_inside([&](Thrift::Field which) {
    out.meaning = plain;
    switch (which.id) {
      case 1:
      case 4:
      case 12:
        out.meaning = text;
        out.is_json = which.id == 12;
        return;
      case 2: out.meaning = map; return;
      case 3: out.meaning = list; return;
      case 5:
        out.meaning = decimal;
        in.each_field_inside([&](Thrift::Field of) { (of.id == 1 ? out.scale : out.digits) = in.integer(); });
        return;
      case 6: out.meaning = date; return;
      case 7:
      case 8:
        out.meaning = which.id == 7 ? time : timestamp;
        in.each_field_inside([&](Thrift::Field of) {
          if (of.id == 1) out.is_utc = in.boolean();
          if (of.id == 2) out.second = second_of(in);
        });
        return;
      case 10:
        in.each_field_inside([&](Thrift::Field of) {
          if (of.id == 2 && !in.boolean()) out.meaning = unsigned_whole;
        });
        return;
      case 11: return;  // of nulls alone
      case 14: out.meaning = uuid; return;
      case 15: out.meaning = float16; return;
      default: out.meaning = other;
    }
    constexpr std::array<const char*, 6> others = {"BSON", "", "", "a variant", "a geometry", "a geography"};
    const auto at = static_cast<size_t>(which.id - 13);
    out.other = at < others.size() ? others[at] : "a type that is not known here";
  });
}

}  // namespace

SchemaElement schema_element_of(Thrift& in) {
  SchemaElement out;
  int64_t converted = -1;
  bool has_logical = false;
  SchemaElement logical;
  in.each_field_inside([&](Thrift::Field field) {
    switch (field.id) {
      case 1: {
        const int64_t type = in.integer();
        require(type >= 0 && type <= static_cast<int64_t>(Physical::fixed_bytes), "has the unknown type {}", type);
        out.type = static_cast<Physical>(type);
        return;
      }
      case 2: out.length = in.integer(); return;
      case 3: {
        const int64_t repetition = in.integer();
        require(repetition >= 0 && repetition <= 2, "has the unknown repetition {}", repetition);
        out.repetition = static_cast<Repetition>(repetition);
        return;
      }
      case 4:
        out.name = in.text();
        require(!invalid_utf8(out.name), "has a column whose name is not UTF-8");
        return;
      case 5: out.children = in.integer(); return;
      case 6: converted = in.integer(); return;
      case 7: out.scale = in.integer(); return;
      case 8: out.digits = in.integer(); return;
      case 10: has_logical = true, read_logical(in, logical); return;
      default: return;
    }
  });
  if (converted >= 0) read_converted(converted, out);
  if (has_logical) {
    out.meaning = logical.meaning, out.other = logical.other;
    out.second = logical.second, out.is_utc = logical.is_utc, out.is_json = logical.is_json;
    if (logical.meaning == Meaning::decimal) out.scale = logical.scale, out.digits = logical.digits;
  }
  if (out.children > 0) out.type.reset();
  return out;
}

}  // namespace rgm::parquet
