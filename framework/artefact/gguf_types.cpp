// gguf_types.cpp - the types that a GGUF file keeps weights in.
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "artefact/gguf.hpp"
#include "base/error.hpp"

namespace rgm {
namespace {

struct GgufTypeName {
  const char* name;
  GgufType type;
  uint32_t file;
  float limit;
};
constexpr float float16_limit = 65520;  // half a step beyond the largest
constexpr GgufTypeName gguf_types[] = {{"float32", GgufType::float32, 0, std::numeric_limits<float>::infinity()},
                                       {"float16", GgufType::float16, 1, float16_limit},
                                       {"bfloat16", GgufType::bfloat16, 32, 0x1.FFp127F},
                                       {"q8_0", GgufType::q8_0, 7, 127 * float16_limit}};

// One scale for 32 numbers, by which the largest becomes 127.
void put_q8_0(std::span<const float> block, std::byte* out) {
  float largest = 0;
  for (const float x : block) largest = std::max(largest, std::abs(x));
  const float scale = largest / 127, inverse = scale > 0 ? 1 / scale : 0;
  const uint16_t half = to_float16(scale);
  std::memcpy(out, &half, sizeof half);
  for (size_t i = 0; i < block.size(); ++i)
    out[2 + i] = static_cast<std::byte>(static_cast<int8_t>(std::round(block[i] * inverse)));
}

}  // namespace

GgufType gguf_type(const std::string& name) {
  std::vector<std::string_view> names;
  for (const GgufTypeName& one : gguf_types) {
    if (name == one.name) return one.type;
    names.emplace_back(one.name);
  }
  invalid(
      "\"{}\" is not a type that weights are written in here, only {}; llama.cpp's llama-quantize makes smaller files "
      "from float16",
      name, fmt::join(names, ", "));
}

uint32_t gguf_file_type(GgufType type) { return std::ranges::find(gguf_types, type, &GgufTypeName::type)->file; }
float gguf_limit(GgufType type) { return std::ranges::find(gguf_types, type, &GgufTypeName::type)->limit; }

uint16_t to_bfloat16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

uint16_t to_float16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const float magnitude = std::abs(x);
  if (std::isnan(x)) return sign | 0x7E00;
  if (magnitude >= float16_limit) return sign | 0x7C00;
  // Below 2^-14 the steps are as wide as there; adding 0.5 rounds to them.
  if (magnitude < 0x1p-14F)
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(magnitude + 0.5F) - 0x3F000000));
  const uint32_t rebased = (bits & 0x7FFFFFFF) - (112U << 23);
  return static_cast<uint16_t>(sign | (rebased + 0xFFF + (rebased >> 13 & 1)) >> 13);
}

std::vector<std::byte> gguf_bytes(std::span<const float> values, GgufType type) {
  std::vector<std::byte> out;
  if (type == GgufType::float32) {
    const auto bytes = std::as_bytes(values);
    out.assign(bytes.begin(), bytes.end());
  } else if (type == GgufType::q8_0) {
    constexpr size_t numbers = gguf_block, bytes = numbers + 2;
    out.resize(values.size() / numbers * bytes);
    for (size_t i = 0; i < values.size() / numbers; ++i)
      put_q8_0(values.subspan(i * numbers, numbers), out.data() + i * bytes);
  } else {
    out.resize(2 * values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      const uint16_t half = type == GgufType::float16 ? to_float16(values[i]) : to_bfloat16(values[i]);
      std::memcpy(out.data() + 2 * i, &half, 2);
    }
  }
  return out;
}

}  // namespace rgm
