// template.cpp - fills the gaps, from left to right, and facts within facts too.
#include "stories/template.hpp"

#include <stdexcept>
#include <vector>

#include "stories/grammar.hpp"

namespace rgm::stories {
namespace {

// The place of the bracket that closes the one at `open`, and of the bars between them.
std::vector<size_t> bars_and_end(std::string_view text, size_t open) {
  std::vector<size_t> out;
  int depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    if (text[i] == '[') ++depth;
    if (text[i] == '|' && depth == 1) out.push_back(i);
    if (text[i] == ']' && --depth == 0) {
      out.push_back(i);
      return out;
    }
  }
  throw std::out_of_range("a bracket is not closed: " + std::string(text));
}

std::string gap(std::string_view inside, const Facts& facts, Dice& dice) {
  const bool article = inside.starts_with("a ");
  const std::string_view key = article ? inside.substr(2) : inside;
  const auto found = facts.find(key);
  if (found == facts.end()) throw std::out_of_range("no fact {" + std::string(key) + "}");
  const std::string value = fill(found->second, facts, dice);
  return article ? with_article(value) : value;
}

}  // namespace

std::string fill(std::string_view text, const Facts& facts, Dice& dice) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '{') {
      const size_t end = text.find('}', i);
      out += gap(text.substr(i + 1, end - i - 1), facts, dice);
      i = end + 1;
    } else if (text[i] == '[') {
      const auto ends = bars_and_end(text, i);
      const size_t choice = dice.roll(ends.size());
      const size_t begin = choice == 0 ? i + 1 : ends[choice - 1] + 1;
      out += fill(text.substr(begin, ends[choice] - begin), facts, dice);
      i = ends.back() + 1;
    } else {
      out += text[i++];
    }
  }
  return out;
}

}  // namespace rgm::stories
