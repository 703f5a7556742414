// special_tokens.hpp - finds the names of special tokens in a text, the leftmost first and the longest of those.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace rgm {

using SpecialTokens = std::map<std::string, int32_t, std::less<>>;

// Calls plain(text, offset) and special(id) in the order of the text.
template <class Plain, class Special>
void split_specials(std::string_view text, const SpecialTokens& specials, Plain&& plain, Special&& special) {
  std::string beginnings;
  for (const auto& [name, id] : specials) beginnings += name[0];
  size_t done = 0;
  for (size_t at = text.find_first_of(beginnings); at < text.size();) {
    const std::pair<const std::string, int32_t>* found = nullptr;
    for (const auto& entry : specials)
      if (text.substr(at).starts_with(entry.first) && (!found || entry.first.size() > found->first.size()))
        found = &entry;
    if (found) {
      if (at > done) plain(text.substr(done, at - done), done);
      special(found->second);
      done = at + found->first.size();
    }
    at = text.find_first_of(beginnings, found ? done : at + 1);
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

}  // namespace rgm
