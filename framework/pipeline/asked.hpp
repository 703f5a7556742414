// asked.hpp - what the readers of a pipeline ask of its maps, noted while somebody listens: the schema is made from it,
// so that it cannot say anything else than the readers.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "pipeline/yaml.hpp"

namespace rgm {

struct Asked {
  enum class Type { any, text, boolean, integer, number, choice } type = Type::any;
  Range range = {};                     // of integer and number
  std::vector<std::string> words = {};  // of choice
};

// Listens on this thread as long as it lives; one at a time.
class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // By what a map is ("a stage"), then by key, in the order of asking.
  std::map<std::string, std::vector<std::pair<std::string, Asked>>> maps;
  // The ids that there are of an "optimizer" and the like, as far as a wrong one was answered.
  std::map<std::string, std::vector<std::string>> ids;
};

// The readers' side: nothing where nobody listens.
void note_asked(const std::string& what, std::string_view key, const Asked& asked);
void note_ids(std::string_view what, const std::vector<std::string>& ids);

}  // namespace rgm
