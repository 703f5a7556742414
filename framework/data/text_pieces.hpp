// text_pieces.hpp - reads text files of any size piece by piece: unpacked where gzip or zstd has packed them, checked
// as UTF-8, cut only where the tokenizer gives the same ids as for the whole file.
#pragma once
#include <cstddef>
#include <functional>
#include <string_view>

#include "base/file.hpp"
#include "text/tokenizer.hpp"

namespace rgm {

// Calls piece(text, its offset) in order and answers the SHA-256 of the file. `piece_bytes` is about how much is held;
// a text that the tokenizer does not let cut is held whole. Without a tokenizer, cut between characters. RGM_INVALID:
// cannot be read, or not UTF-8, with the offset. Throws Interrupted before a piece when one has come.
std::string each_piece(const fs::path& file, const Tokenizer* tokenizer,
                       const std::function<void(std::string_view text, size_t offset)>& piece,
                       size_t piece_bytes = size_t{1} << 22);

}  // namespace rgm
