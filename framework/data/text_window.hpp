// text_window.hpp - the text of a file from where reading is: all that is left of it where it is mapped; where it is
// unpacked on the way, as much as was asked for, in a buffer that grows to the longest record.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/unpacked_file.hpp"

namespace rgm {

class TextWindow {
 public:
  explicit TextWindow(const fs::path& file);
  TextWindow(const TextWindow&) = delete;
  TextWindow& operator=(const TextWindow&) = delete;

  // Whether there is a byte `at`; what text() answered before is then no longer there.
  bool holds(size_t at) { return at < text_.size() || (unpacked_ && grow(at)); }
  char operator[](size_t at) const { return text_[at]; }
  std::string_view text() const { return text_; }
  // The first `bytes` of it were read.
  void drop(size_t bytes) { text_.remove_prefix(bytes); }

 private:
  bool grow(size_t at);

  MappedFile mapped_;
  std::unique_ptr<UnpackedFile> unpacked_;
  std::string buffer_;
  std::string_view text_;
};

}  // namespace rgm
