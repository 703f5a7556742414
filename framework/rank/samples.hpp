// samples.hpp - what is to be ranked: prompts with several answers each, from rows of a file.
#pragma once
#include <string>
#include <vector>

#include "base/file.hpp"

namespace rgm::rank {

struct Item {
  std::string prompt;
  std::vector<std::string> answers;
  std::vector<std::string> sources;  // of each answer, where the file says so: shown unless raters are blind
  std::vector<int> finished = {};    // of each, where the file says so: 0 where it was cut off
};

struct Samples {
  std::vector<Item> items;
  std::string sha256;  // of prompts and answers
};

// Rows {"prompt", "responses": [...]}, or one an answer {"prompt", "text"} as the strategy `sample` writes them: those
// of one prompt are put together. `source` may say who wrote an answer. RGM_INVALID: file:line and what is wrong; a
// prompt with one answer, or more than 26.
Samples read_samples(const fs::path& file);
// The same check for items that do not come from a file: `where_of` begins the message for each.
Samples make_samples(std::vector<Item> items, const std::vector<std::string>& where_of);

}  // namespace rgm::rank
