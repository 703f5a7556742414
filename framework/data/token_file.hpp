// token_file.hpp - the ids of a text in one file that is mapped: made once, whole or not at all, and found again by a
// key that stands for the text and the tokenizer.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "text/tokenizer.hpp"

namespace rgm {

// Layout, little-endian: "RGMTOKEN", uint32 version, uint32 bytes an id, 64 digits of the key; the ids as uint16 where
// the vocabulary fits, else int32; uint64 count, 64 digits of the SHA-256 of all before them, "RGMTOKEN". Anything
// else is not believed and made again.
class TokenFile {
 public:
  // Opens `cache`/KEY.tokens, or makes it from the files. Without a cache folder the ids are kept in memory.
  static TokenFile open(const std::vector<fs::path>& files, const std::string& content, const Tokenizer& tokenizer,
                        const fs::path& cache);

  int64_t count() const { return count_; }
  void copy(int64_t begin, int64_t n, int32_t* to) const;

 private:
  std::string_view bytes() const { return memory_.empty() ? file_.text() : std::string_view(memory_); }
  bool check(std::string_view key);  // reads head and end; false when they are not as they should be
  bool has_its_sum() const;          // reads all of the file, which takes a fraction of one pass of training over it

  std::string memory_;  // one of the two
  MappedFile file_;
  int64_t count_ = 0;
  uint32_t bytes_each_ = 0;
};

}  // namespace rgm
