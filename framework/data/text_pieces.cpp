// text_pieces.cpp - reading a text in pieces. What follows the last safe place is kept for the next piece, so ids do
// not depend on the size of the pieces.
#include "data/text_pieces.hpp"

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "base/unpacked_file.hpp"

namespace rgm {
namespace {

// Bytes at the end that begin a character whose rest is yet to come.
size_t unfinished_character(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

}  // namespace

std::string each_piece(const fs::path& file, const Tokenizer* tokenizer,
                       const std::function<void(std::string_view text, size_t offset)>& piece, size_t piece_bytes) {
  Sha256 sum;
  UnpackedFile in(file, &sum);
  std::error_code unknown;
  const uintmax_t size = in.is_packed() ? 0 : fs::file_size(file, unknown);  // of a pipe there is none
  const bool has_size = !in.is_packed() && !unknown;
  std::string held;
  size_t offset = 0, checked = 0;  // of held[0] in the file; how much of held is known to be UTF-8
  for (size_t wanted = piece_bytes;;) {
    const size_t before = held.size();
    // Room for what is left and the end behind it: many small files would fill megabytes of zeros.
    const uintmax_t left = size - std::min<uintmax_t>(size, offset + before);
    const size_t room = has_size ? std::min<size_t>(wanted, std::max<uintmax_t>(left, 4096) + 1) : wanted;
    held.resize(before + room);
    const size_t n = in.read(held.data() + before, room);
    held.resize(before + n);
    const bool is_end = n < room;

    const size_t whole = held.size() - (is_end ? 0 : unfinished_character(held));
    stop_if_interrupted("reading {}", file.string());
    const std::string_view fresh(held.data() + checked, whole - checked);
    if (const auto broken = invalid_utf8(fresh))
      invalid("{}: is not UTF-8 at byte {}; convert it, for example with iconv -t UTF-8", file.string(),
              offset + checked + *broken);
    checked = whole;

    const std::string_view text(held.data(), whole);
    const size_t cut = is_end || !tokenizer ? whole : tokenizer->stable_prefix(text);
    if (cut > 0) piece(text.substr(0, cut), offset);
    if (is_end) return sum.hex();
    held.erase(0, cut);
    offset += cut;
    checked -= cut;
    wanted = cut > 0 ? piece_bytes : held.size();  // no safe place yet: read as much again
  }
}

}  // namespace rgm
