// story.hpp - tells stories: a cast is drawn, it stays the same to the end, and the plot is told with it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace rgm::stories {

struct Story {
  std::string text;          // paragraphs, each a line
  std::string plot;          // its name
  std::string hero, object;  // both occur in the first paragraph and in the last
};

// Story number `number` of this seed, the same on every platform.
Story tell(uint64_t seed, uint64_t number);

// Stories with a blank line between them, at least so many bytes.
std::string collect(size_t bytes, uint64_t seed);

}  // namespace rgm::stories
