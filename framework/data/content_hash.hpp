// content_hash.hpp - the SHA-256 of data files, remembered beside the cache so that a large set is hashed once.
#pragma once
#include <span>
#include <string>

#include "base/file.hpp"

namespace rgm {

// One hash over the contents of the files, in order. With a `cache` folder a file's hash is kept in hashes.json there,
// by path, and believed while size, inode and the times of its last modification and change are the same. Throws
// Interrupted when one has come.
std::string content_hash(std::span<const fs::path> files, const fs::path& cache);

// Of one file, without a memory and to its end.
std::string file_hash(const fs::path& file);

}  // namespace rgm
