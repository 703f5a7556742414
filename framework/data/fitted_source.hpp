// fitted_source.hpp - a source whose examples are packed anew: into shorter rows than it was opened for, or without the
// first tokens of those that are too long, such as prompts.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/source.hpp"

namespace rgm {

// Of every example its last `most` tokens, in rows of at most `length`.
std::unique_ptr<Source> fitted(std::unique_ptr<Source> source, int64_t most, int64_t length);

struct LongExamples {
  std::string column;
  int64_t longer = 0, all = 0;
};
// How many examples of each token column have more than `most` tokens; a column without any is left out.
std::vector<LongExamples> longer_than(const Source& source, int64_t most);

}  // namespace rgm
