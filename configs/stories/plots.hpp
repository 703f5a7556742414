// plots.hpp - the story lines: each is a row of paragraphs with gaps, and says which table its object comes from.
#pragma once
#include <span>
#include <string_view>

#include "stories/words.hpp"

namespace rgm::stories {

struct Plot {
  std::string_view name;
  std::span<const Thing> (*objects)();  // null where a skill brings its own
  std::span<const std::string_view> paragraphs;
};
std::span<const Plot> plots();

// Sentences that every plot may use: {opening}, {walk}, {thanks}, ...
struct Phrase {
  std::string_view name, text;
};
std::span<const Phrase> phrases();

}  // namespace rgm::stories
