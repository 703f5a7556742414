// text.cpp - UTF-8, near names (Damerau-Levenshtein), numbers for people, patterns.
#include "base/text.hpp"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cmath>

namespace rgm {
namespace {
// Reads one code point at `at`; its length in bytes, or 0 when it is not valid.
size_t decode(std::string_view text, size_t at, utf8proc_int32_t& c) {
  const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                                  static_cast<utf8proc_ssize_t>(text.size() - at), &c);
  return n > 0 ? static_cast<size_t>(n) : 0;
}
}  // namespace

std::optional<size_t> invalid_utf8(std::string_view text) {
  utf8proc_int32_t c = 0;
  for (size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    const size_t n = decode(text, i, c);
    if (n == 0) return i;
    i += n;
  }
  return std::nullopt;
}

void append_utf8(std::string& out, char32_t c) {
  utf8proc_uint8_t bytes[4];
  const auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
}

std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> out;
  out.reserve(text.size());
  utf8proc_int32_t c = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t n = decode(text, i, c);
    out.push_back(n ? static_cast<char32_t>(c) : U'\uFFFD');
    i += std::max<size_t>(n, 1);
  }
  return out;
}

std::optional<std::string> near_name(std::string_view name, std::span<const std::string> candidates) {
  const auto distance = [](std::string_view a, std::string_view b) {
    std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
    for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (size_t i = 1; i <= a.size(); ++i)
      for (size_t j = 1; j <= b.size(); ++j) {
        d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
          d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    return d[a.size()][b.size()];
  };
  if (name.size() > 64) return std::nullopt;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  for (const std::string& c : candidates)
    if (std::ranges::equal(name, c, {}, lower, lower)) return c;
  size_t best = std::max<size_t>(name.size() / 3, 1) + 1;
  std::optional<std::string> found;
  for (const std::string& c : candidates)
    if (const size_t d = distance(name, c); d < best) best = d, found = c;
  return found;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
  const auto found = near_name(name, candidates);
  return found ? fmt::format("; did you mean \"{}\"?", *found) : "";
}

std::string join(std::span<const std::string> words, std::string_view between) {
  return fmt::format("{}", fmt::join(words, between));
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool is_c1 =
        byte == 0xC2 && next >= 0x80 && next < 0xA0;  // U+0080 to U+009F, among them the CSI of terminals
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F || is_c1)
      out += fmt::format("U+{:04X}", is_c1 ? next : byte);
    else
      out += c;
    i += is_c1;
  }
  return out;
}

std::string character_for_people(char32_t c) {
  std::string number = fmt::format("U+{:04X}", static_cast<uint32_t>(c));
  if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return number;
  std::string character;
  append_utf8(character, c);
  return fmt::format("\"{}\" ({})", character, number);
}

std::string bytes_for_people(uint64_t bytes) {
  const char* const units[] = {"B", "kB", "MB", "GB", "TB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto n = static_cast<double>(bytes);
  size_t unit = 0;
  for (; n >= 999.5 && unit < 4; ++unit) n /= 1000;  // 999.5 would be shown as 1000
  return fmt::format("{:.{}f} {}", n, n < 9.995 ? 2 : n < 99.95 ? 1 : 0, units[unit]);
}

std::string count_for_people(uint64_t n) {
  std::string digits = fmt::format("{}", n);
  for (size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
  return digits;
}

std::string time_for_people(double seconds) {
  const int64_t s = std::llround(seconds);
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
}

std::string table_for_people(const std::vector<std::vector<std::string>>& rows, std::string_view indent) {
  std::vector<size_t> width;
  for (const auto& row : rows) {
    width.resize(std::max(width.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], code_points(row[i]).size());
  }
  std::string out;
  for (const auto& row : rows) {
    out += indent;
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      out.append(width[i] - code_points(row[i]).size() + 2, ' ');
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace rgm
