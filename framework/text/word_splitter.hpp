// word_splitter.hpp - cuts text into the words inside which BPE may merge, by GPT-2's pattern or that of a file.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace rgm {

// One splitter serves one thread at a time.
class WordSplitter {
 public:
  // `pattern` as tokenizer.json has it; empty: GPT-2's. What lies between matches is a word too. RGM_INVALID where it
  // cannot be read as Hugging Face reads it.
  explicit WordSplitter(const std::string& pattern = {});
  ~WordSplitter();
  // Calls `word` with pieces that together are the text. A byte that is not UTF-8 is a word of its own.
  template <class F>
  void split(std::string_view text, F&& word) {
    while (!text.empty()) {
      const size_t valid = valid_length(text);
      for (size_t at = 0; at < valid;) {
        const size_t end = word_end(text.substr(0, valid), at);
        word(text.substr(at, end - at));
        at = end;
      }
      if (valid < text.size()) word(text.substr(valid, 1));
      text.remove_prefix(valid < text.size() ? valid + 1 : valid);
    }
  }

 private:
  static size_t valid_length(std::string_view text);
  size_t word_end(std::string_view text, size_t at);
  struct MatchData;
  std::unique_ptr<MatchData> match_;
  bool anchored_;
};

// The largest n such that a word ends at n whatever comes after the text: between a character and white space. By
// another pattern than GPT-2's, one of those that are known, between a letter or digit and a space; by any other, 0.
size_t end_of_stable_words(std::string_view text, const std::string& pattern = {});

}  // namespace rgm
