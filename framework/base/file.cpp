// file.cpp - reading, mapping and crash-safe writing of files, over POSIX calls.
#include "base/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <regex>
#include <vector>

#include "base/error.hpp"

namespace rgm {
namespace {

std::string reason() { return std::strerror(errno); }

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags, mode_t mode = 0) : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int open_to_read(const fs::path& path, const Descriptor& file) {
  if (file.get() < 0) invalid("{}: cannot be read: {}", path.string(), reason());
  struct stat status {};
  if (::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode))
    invalid("{}: is a folder, a file was expected", path.string());
  return file.get();
}

void sync_folder(const fs::path& folder) {
  const Descriptor d(folder.empty() ? fs::path(".") : folder, O_RDONLY | O_DIRECTORY);
  if (d.get() >= 0) ::fsync(d.get());  // some file systems cannot sync folders; the rename itself is atomic there
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  const int fd = open_to_read(path, file);
  std::string out;
  struct stat status {};
  if (::fstat(fd, &status) == 0 && status.st_size > 0) out.reserve(static_cast<size_t>(status.st_size));
  char piece[1 << 16];
  for (;;) {
    const ssize_t n = ::read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) invalid("{}: cannot be read: {}", path.string(), reason());
    if (n == 0) return out;
    out.append(piece, static_cast<size_t>(n));
  }
}

void write_file(const fs::path& path, std::string_view data, Sync sync) {
  FileWriter out(path, data.size());
  out.write(data);
  out.commit(sync);
}

namespace {

// A link stays one: what it leads to is written.
fs::path followed(fs::path path) {
  std::error_code error;
  for (int links = 0; links < 40 && fs::is_symlink(path, error); ++links)
    path = path.parent_path() / fs::read_symlink(path, error);
  return path;
}

// /dev/null, a pipe: nothing can stand in its place.
bool is_written_in_place(const fs::path& path) {
  std::error_code error;
  return fs::is_other(path, error);
}

}  // namespace

FileWriter::FileWriter(fs::path path, uint64_t total) : path_(followed(std::move(path))), total_(total) {
  if (is_written_in_place(path_)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd_ < 0) failure("{}: cannot be written: {}", path_.string(), reason());
    return;
  }
  static std::atomic<unsigned> counter{0};
  temporary_ = path_;
  temporary_ += fmt::format(".tmp{}-{}", ::getpid(), counter++);
  // One that is there was left by a process that was killed and had the same number.
  ::unlink(temporary_.c_str());
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd_ < 0) failure("{}: cannot be written: {}", path_.string(), reason());
}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileWriter::write(const void* data, size_t bytes) {
  buffer_.append(static_cast<const char*>(data), bytes);
  if (buffer_.size() >= (1U << 20)) flush();
}

void FileWriter::flush() {
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      failure("{}: cannot be written: {} ({} more bytes are needed here); the old file, if any, is untouched",
              path_.string(), reason(), std::max<uint64_t>(total_ - std::min(total_, written_), buffer_.size() - done));
    done += static_cast<size_t>(n);
    written_ += static_cast<uint64_t>(n);
  }
  buffer_.clear();
}

void FileWriter::commit(Sync sync) {
  flush();
  if (temporary_.empty()) {
    if (::close(std::exchange(fd_, -1)) != 0) failure("{}: cannot be written: {}", path_.string(), reason());
    return;
  }
  const bool synced = sync == Sync::no || ::fsync(fd_) == 0;
  const bool closed = ::close(std::exchange(fd_, -1)) == 0;
  if (!synced || !closed || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const std::string why = reason();
    ::unlink(temporary_.c_str());
    failure("{}: cannot be written: {}; the old file, if any, is untouched", path_.string(), why);
  }
  if (sync == Sync::yes) sync_folder(path_.parent_path());
}

AppendedFile::AppendedFile(fs::path path, uintmax_t bytes) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0 || ::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
    const std::string why = reason();
    if (fd_ >= 0) ::close(fd_);
    failure("{}: cannot be written: {}", path_.string(), why);
  }
}
AppendedFile::~AppendedFile() { ::close(fd_); }
void AppendedFile::append(std::string_view text, Sync sync) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(fd_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      failure("{}: cannot be written: {} ({} more bytes are needed here)", path_.string(), reason(),
              text.size() - done);
    done += static_cast<size_t>(n);
  }
  if (sync == Sync::yes && ::fsync(fd_) != 0) failure("{}: cannot be written: {}", path_.string(), reason());
}

void remove_unfinished(const fs::path& folder, Depth depth) {
  static const std::regex ours(R"(.+\.tmp\d+-\d+)");
  std::error_code ignored;
  std::vector<fs::path> left;
  for (auto it = fs::recursive_directory_iterator(folder, ignored); it != fs::recursive_directory_iterator();
       it.increment(ignored)) {
    if (depth == Depth::here) it.disable_recursion_pending();
    if (it->is_regular_file(ignored) && std::regex_match(it->path().filename().string(), ours))
      left.push_back(it->path());
  }
  for (const fs::path& file : left) fs::remove(file, ignored);
}

void replace_folder(const fs::path& from, const fs::path& to) {
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    const Descriptor file(entry.path(), O_RDONLY);
    if (file.get() >= 0 && (entry.is_regular_file() || entry.is_directory())) ::fsync(file.get());
  }
  sync_folder(from);
  // Both change names in one step where the file system can, so that no moment is without a whole `to`.
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    sync_folder(to.parent_path());
    std::error_code ignored;
    fs::remove_all(from, ignored);
    return;
  }
  std::error_code error;
  fs::path old = to;
  old += ".old";
  fs::remove_all(old, error);
  const bool existed = fs::exists(to);
  if (existed && !error) fs::rename(to, old, error);
  if (!error) fs::rename(from, to, error);
  if (error) {
    std::error_code ignored;
    if (existed && !fs::exists(to)) fs::rename(old, to, ignored);
    failure("{}: cannot be replaced: {}", to.string(), error.message());
  }
  sync_folder(to.parent_path());
  fs::remove_all(old, error);
}

fs::path make_temporary_folder(std::string_view purpose) {
  const char* const given = std::getenv("TMPDIR");
  const bool is_given = given && *given;
  const fs::path parent = is_given ? given : "/tmp";
  std::string name = (parent / fmt::format("regimen-{}-XXXXXX", purpose)).string();
  if (::mkdtemp(name.data())) return name;
  const int error = errno;
  if (error == ENOSPC) failure("{}: a folder cannot be created there: {}", parent.string(), std::strerror(error));
  invalid("{}: a folder cannot be created there: {}; set TMPDIR to a folder that can be written to{}", parent.string(),
          std::strerror(error), is_given ? " (it is set to this one)" : "");
}

MappedFile::MappedFile(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  const int fd = open_to_read(path, file);
  struct stat status {};
  if (::fstat(fd, &status) != 0) invalid("{}: cannot be read: {}", path.string(), reason());
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapped == MAP_FAILED) invalid("{}: cannot be mapped: {}", path.string(), reason());
  data_ = mapped;
}
MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<void*>(data_), size_);
}
void forget(std::span<const std::byte> mapped) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  if (mapped.empty()) return;
  const std::byte* const begin = mapped.data() - reinterpret_cast<uintptr_t>(mapped.data()) % page;
  const size_t size = static_cast<size_t>(mapped.data() + mapped.size() - begin);
  ::madvise(const_cast<std::byte*>(begin), size, MADV_DONTNEED);
}
MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace rgm
