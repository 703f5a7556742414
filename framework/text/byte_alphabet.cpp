// byte_alphabet.cpp - the table between bytes and printable characters, both ways.
#include "text/byte_alphabet.hpp"

#include <algorithm>
#include <numeric>

#include "base/text.hpp"

namespace rgm {

const std::array<char32_t, 256>& byte_characters() {
  static const auto table = [] {
    std::array<char32_t, 256> out{};
    char32_t next = 256;
    for (char32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      out[b] = printable ? b : next++;
    }
    return out;
  }();
  return table;
}

std::string to_byte_characters(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) append_utf8(out, byte_characters()[static_cast<unsigned char>(byte)]);
  return out;
}

std::optional<std::string> from_byte_characters(std::string_view text) {
  static const auto inverse = [] {
    std::array<int, 512> out{};
    out.fill(-1);
    for (size_t b = 0; b < 256; ++b) out[byte_characters()[b]] = static_cast<int>(b);
    return out;
  }();
  std::string out;
  for (const char32_t c : code_points(text)) {
    if (c >= inverse.size() || inverse[c] < 0) return std::nullopt;
    out += static_cast<char>(inverse[c]);
  }
  return out;
}

std::array<uint8_t, 256> bytes_by_character() {
  std::array<uint8_t, 256> out{};
  std::iota(out.begin(), out.end(), uint8_t{0});
  std::ranges::sort(out, {}, [](uint8_t b) { return byte_characters()[b]; });
  return out;
}

}  // namespace rgm
