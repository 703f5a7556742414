// text_window.cpp - mapping a file, or unpacking it piece by piece.
#include "data/text_window.hpp"

#include <algorithm>

namespace rgm {

TextWindow::TextWindow(const fs::path& file) : unpacked_(std::make_unique<UnpackedFile>(file)) {
  if (unpacked_->is_packed() || !fs::is_regular_file(file)) return;
  unpacked_.reset();
  mapped_ = MappedFile(file);
  text_ = mapped_.text();
}

bool TextWindow::grow(size_t at) {
  constexpr size_t piece = size_t{1} << 18;
  buffer_.erase(0, buffer_.size() - text_.size());
  while (at >= buffer_.size()) {
    const size_t before = buffer_.size(), more = std::max(piece, before);
    buffer_.resize(before + more);
    const size_t n = unpacked_->read(buffer_.data() + before, more);
    buffer_.resize(before + n);
    if (n == more) continue;
    unpacked_.reset();  // the file ends here
    break;
  }
  text_ = buffer_;
  return at < text_.size();
}

}  // namespace rgm
