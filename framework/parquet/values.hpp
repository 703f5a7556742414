// values.hpp - the values of a page, one after the other, in whichever encoding they are.
#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "parquet/metadata.hpp"

namespace rgm::parquet {

// One of the three, by the physical type: booleans are whole, and an int96 is bytes.
struct Value {
  int64_t whole = 0;
  double real = 0;
  std::string_view bytes = {};
};

class Values {
 public:
  virtual ~Values() = default;
  // What it says of bytes is there until the next one is asked for. RGM_INVALID: there are no more, or damaged.
  virtual Value next() = 0;
};

using Dictionary = std::vector<Value>;

// At most `count` values of that type. Unsupported: the encoding. What they say of bytes lies in `bytes`.
std::unique_ptr<Values> values_of(Encoding encoding, const SchemaElement& type, std::string_view bytes, int64_t count,
                                  const Dictionary* dictionary);
std::unique_ptr<Values> plain_values(const SchemaElement& type, std::string_view bytes);
// values_delta.cpp
std::unique_ptr<Values> delta_values(Encoding encoding, const SchemaElement& type, std::string_view bytes,
                                     int64_t count);

// One value of a type of fixed size from the bytes that are it.
Value fixed_value(Physical type, std::string_view bytes);
size_t fixed_size(const SchemaElement& type);  // 0: of no fixed size

}  // namespace rgm::parquet
