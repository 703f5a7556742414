// text.hpp - small things with text: UTF-8, near names, numbers for people.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rgm {

// Offset of the first byte that is not part of valid UTF-8; nothing when all is.
std::optional<size_t> invalid_utf8(std::string_view text);
void append_utf8(std::string& out, char32_t c);
// Code points of valid UTF-8; a broken byte becomes U+FFFD.
std::vector<char32_t> code_points(std::string_view text);

// The candidate that `name` was probably meant to be: at most a third of its letters differ. Nothing otherwise.
std::optional<std::string> near_name(std::string_view name, std::span<const std::string> candidates);
// ` did you mean "x"?` or nothing, to end a sentence with.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);
std::string join(std::span<const std::string> words, std::string_view between = ", ");

// A control character as its number, U+0000: all but the ends of lines and tabs, which belong to a message.
std::string printable(std::string_view text);
std::string character_for_people(char32_t c);  // "x" (U+0078), or the number alone of a control character
std::string bytes_for_people(uint64_t bytes);  // 1.5 MB
std::string count_for_people(uint64_t n);      // 12,345
std::string time_for_people(double seconds);   // 42 s, 3 min 10 s, 2 h 5 min
// Lines of left-aligned columns, two spaces between, each behind `indent`; the last column is not padded.
std::string table_for_people(const std::vector<std::vector<std::string>>& rows, std::string_view indent = "");
// True where the whole of `text` matches `pattern`; * stands for any run of characters, ? for one.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace rgm
