// special_tokens.hpp - finds the names of special tokens in a text, the leftmost first and the longest of those.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rgm {

using SpecialTokens = std::map<std::string, int32_t, std::less<>>;

inline std::string first_letters(const SpecialTokens& specials) {
  std::string out;
  for (const auto& [name, id] : specials)
    if (out.empty() || out.back() != name[0]) out += name[0];
  return out;
}

struct FoundSpecial {
  size_t begin, end;
  int32_t id;
};
// The first at or behind `at`; `letters` are the first ones of the names.
inline std::optional<FoundSpecial> next_special(std::string_view text, size_t at, const SpecialTokens& specials,
                                                std::string_view letters) {
  for (at = text.find_first_of(letters, at); at < text.size(); at = text.find_first_of(letters, at + 1)) {
    // The longest name that the text goes on with is the nearest before it in the order, but for names that have less
    // in common with it; behind each of these the search goes on with what is common.
    std::string_view rest = text.substr(at);
    for (auto next = specials.upper_bound(rest); !rest.empty() && next != specials.begin();
         next = specials.upper_bound(rest)) {
      const auto& [name, id] = *std::prev(next);
      if (rest.starts_with(name)) return FoundSpecial{at, at + name.size(), id};
      const auto same = std::mismatch(rest.begin(), rest.end(), name.begin(), name.end()).first - rest.begin();
      rest = rest.substr(0, static_cast<size_t>(same));
    }
  }
  return std::nullopt;
}

// Calls plain(text, offset) and special(id) in the order of the text.
template <class Plain, class Special>
void split_specials(std::string_view text, const SpecialTokens& specials, Plain&& plain, Special&& special) {
  const std::string letters = first_letters(specials);
  size_t done = 0;
  while (const auto found = next_special(text, done, specials, letters)) {
    if (found->begin > done) plain(text.substr(done, found->begin - done), done);
    special(found->id);
    done = found->end;
  }
  if (done < text.size()) plain(text.substr(done), done);
}

// Where an unfinished name of a special token begins at the end of the text; its size when there is none.
inline size_t before_unfinished_special(std::string_view text, const SpecialTokens& specials) {
  size_t longest = 0;
  for (const auto& [name, id] : specials)
    for (size_t n = std::min(name.size() - 1, text.size()); n > longest; --n)
      if (text.ends_with(std::string_view(name).substr(0, n))) longest = n;
  return text.size() - longest;
}

// Where the special token begins that `at` lies in the middle of; `at` where it lies in none.
inline size_t outside_special(std::string_view text, size_t at, const SpecialTokens& specials) {
  const std::string letters = first_letters(specials);
  for (auto found = next_special(text, 0, specials, letters); found && found->begin < at;
       found = next_special(text, found->end, specials, letters))
    if (at < found->end) return found->begin;
  return at;
}

}  // namespace rgm
