// byte_alphabet.hpp - GPT-2's names of the 256 bytes: every byte is one printable character, so that a vocabulary of
// byte strings can stand in JSON. Printable Latin-1 is itself, the other 68 bytes are U+0100 and up.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rgm {

const std::array<char32_t, 256>& byte_characters();
std::string to_byte_characters(std::string_view bytes);
// Nothing where a character is not a byte's name.
std::optional<std::string> from_byte_characters(std::string_view text);
// The bytes in the order of their characters: the order in which a trained vocabulary begins.
std::array<uint8_t, 256> bytes_by_character();

}  // namespace rgm
