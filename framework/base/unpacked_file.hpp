// unpacked_file.hpp - a file read from its beginning to its end, and unpacked on the way where gzip or zstd has packed
// it: what it begins with says so, whatever its name is.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/sha256.hpp"

namespace rgm {

// The endings that packed files have behind those of their formats: .jsonl.gz
inline constexpr std::string_view packed_endings[] = {".gz", ".zst", ".zstd"};
// The name without such an ending, in letters of either case.
std::string without_packed_ending(std::string name);

class UnpackedFile {
 public:
  // `sum` gets every byte of the file itself, as it lies on the disk. RGM_INVALID: cannot be read, or packed in a way
  // that is not unpacked here.
  explicit UnpackedFile(fs::path path, Sha256* sum = nullptr);
  ~UnpackedFile();
  UnpackedFile(const UnpackedFile&) = delete;
  UnpackedFile& operator=(const UnpackedFile&) = delete;

  bool is_packed() const { return unpacker_ != nullptr; }
  // Gets up to `room` further bytes; fewer only where the file ends. RGM_INVALID: cut off, or damaged.
  size_t read(char* to, size_t room);

  // What gzip or zstd takes: some of `in`, which it makes shorter, to some of `out`; answers the bytes it has written.
  class Unpacker {
   public:
    virtual ~Unpacker() = default;
    virtual size_t unpack(std::string_view& in, char* out, size_t room) = 0;
    virtual bool is_between_members() const = 0;  // the file may end here
    virtual const char* name() const = 0;
  };

 private:
  bool fill();  // more of the file; false at its end
  size_t unpack(char* to, size_t room);

  fs::path path_;
  int fd_ = -1;
  Sha256* sum_;
  std::string held_;       // of the file
  std::string_view left_;  // of that, what was not handed on
  bool is_end_ = false;
  std::unique_ptr<Unpacker> unpacker_;
  uint64_t unpacked_ = 0;
};

// One for files that begin so; nothing for others.
std::unique_ptr<UnpackedFile::Unpacker> unpacker_of(std::string_view begin);

}  // namespace rgm
