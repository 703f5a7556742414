// unpacked_file.cpp - reading a file in pieces, packed or not.
#include "base/unpacked_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace rgm {
namespace {

constexpr size_t piece = size_t{1} << 17;
constexpr size_t longest_magic = 6;

struct Other {
  std::string_view begin;
  const char* said;
};
constexpr Other others[] = {
    {{"\xFD\x37\x7A\x58\x5A\x00", 6}, "is compressed with xz; unpack it, for example with unxz"},
    {"BZh91A", "is compressed with bzip2; unpack it, for example with bunzip2"},
    {"PK\x03\x04", "is a zip archive; unpack it, for example with unzip"},
    {"PAR1\x15", "is a Parquet file; name it as one, as in {parquet: FILE}"},
};

}  // namespace

std::string without_packed_ending(std::string name) {
  std::string small = name;
  std::ranges::transform(small, small.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const std::string_view ending : packed_endings)
    if (small.ends_with(ending)) return name.erase(name.size() - ending.size());
  return name;
}

UnpackedFile::UnpackedFile(fs::path path, Sha256* sum) : path_(std::move(path)), sum_(sum) {
  require(!fs::is_directory(path_), "{}: is a folder, a file was expected", path_.string());
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) invalid("{}: cannot be read: {}", path_.string(), std::strerror(errno));
  try {
    while (left_.size() < longest_magic && fill()) continue;
    for (const auto& [begin, said] : others) require(!left_.starts_with(begin), "{}: {}", path_.string(), said);
    unpacker_ = unpacker_of(left_);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}
UnpackedFile::~UnpackedFile() { ::close(fd_); }

bool UnpackedFile::fill() {
  if (is_end_) return false;
  held_.erase(0, held_.size() - left_.size());
  const size_t before = held_.size();
  held_.resize(before + piece);
  ssize_t n = 0;
  do n = ::read(fd_, held_.data() + before, piece);
  while (n < 0 && errno == EINTR);
  if (n < 0) invalid("{}: cannot be read: {}", path_.string(), std::strerror(errno));
  held_.resize(before + static_cast<size_t>(n));
  left_ = held_;
  if (sum_) sum_->update(held_.data() + before, static_cast<size_t>(n));
  is_end_ = n == 0;
  return !is_end_;
}

size_t UnpackedFile::read(char* to, size_t room) {
  size_t done = 0;
  while (done < room) {
    if (left_.empty() && !fill() && (!unpacker_ || unpacker_->is_between_members())) break;
    if (unpacker_) {
      done += unpack(to + done, room - done);
    } else {
      const size_t n = std::min(room - done, left_.size());
      std::memcpy(to + done, left_.data(), n);
      left_.remove_prefix(n);
      done += n;
    }
  }
  return done;
}

size_t UnpackedFile::unpack(char* to, size_t room) {
  const size_t before = left_.size();
  size_t out = 0;
  try {
    out = unpacker_->unpack(left_, to, room);
  } catch (const Error& e) {
    invalid("{}: its {} data is damaged after {} unpacked bytes: {}; copy or download it again", path_.string(),
            unpacker_->name(), unpacked_, e.what());
  }
  unpacked_ += out;
  // It may have more to give when it takes nothing; at the end, whoever does neither waits for what is not there.
  if (out > 0 || left_.size() < before || unpacker_->is_between_members()) return out;
  require(fill(), "{}: is cut off: its {} data goes on after {} unpacked bytes; copy or download it again",
          path_.string(), unpacker_->name(), unpacked_);
  return 0;
}

}  // namespace rgm
