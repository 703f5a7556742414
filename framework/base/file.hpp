// file.hpp - files: read whole, mapped, hashed, and written so that a crash leaves the old or the new, never half.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace rgm {

namespace fs = std::filesystem;

// The whole file. Throws RGM_INVALID with the path and the system's reason when it cannot be read.
std::string read_file(const fs::path& path);

// Whether a crash of the machine, and not of the program alone, has to find what was written.
enum class Sync { yes, no };

// Writes beside `path`, syncs, renames over it, syncs the folder. Throws (exit 1) naming the path, the bytes needed
// and the system's reason; `path` is then as it was. Of a link, what it leads to is `path`; a device or a pipe is
// written to as it is.
void write_file(const fs::path& path, std::string_view data, Sync sync = Sync::yes);

// The same for data that arrives in pieces: write() any number of times, then commit(). Without commit the
// temporary file is removed.
class FileWriter {
 public:
  // `total`: the bytes that will be written, for what is said when there is no room; 0: unknown.
  explicit FileWriter(fs::path path, uint64_t total = 0);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit(Sync sync = Sync::yes);

 private:
  void flush();
  fs::path path_, temporary_;  // no temporary one of what is written to as it is
  std::string buffer_;
  uint64_t total_, written_ = 0;
  int fd_ = -1;
};

// Removes what killed writers have left in `folder`, and below it where `depth` says so. Only where nobody else writes.
enum class Depth { here, below };
void remove_unfinished(const fs::path& folder, Depth depth);

// A file that grows by whole pieces, each on the disk before append() returns, if it syncs; opened, it is cut to
// `bytes`.
class AppendedFile {
 public:
  AppendedFile(fs::path path, uintmax_t bytes);
  ~AppendedFile();
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;
  void append(std::string_view text, Sync sync = Sync::yes);

 private:
  fs::path path_;
  int fd_ = -1;
};

// Makes the folder `to` be what the complete folder `from` is now, in one rename; an old `to` is moved aside and
// removed. Files in `from` are synced first.
void replace_folder(const fs::path& from, const fs::path& to);

// A new and empty folder in $TMPDIR, or /tmp. RGM_INVALID names TMPDIR where none can be made there.
fs::path make_temporary_folder(std::string_view purpose);

// A read-only memory map of a whole file; empty files map to an empty span.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const fs::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }
  std::string_view text() const { return {static_cast<const char*>(data_), size_}; }

 private:
  const void* data_ = nullptr;
  size_t size_ = 0;
};

// Bytes of a mapped file that were read and will not be soon: they no longer count as this program's memory.
void forget(std::span<const std::byte> mapped);

}  // namespace rgm
