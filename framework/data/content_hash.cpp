// content_hash.cpp - hashing data files, and remembering the hashes.
#include "data/content_hash.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>

#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "base/sha256.hpp"

namespace rgm {
namespace {

constexpr int64_t second = 1'000'000'000;

int64_t nanoseconds(const timespec& t) { return int64_t{t.tv_sec} * second + t.tv_nsec; }

// What changes when a file is written to. The change time sees what `touch -r` and `cp -p` hide from the other.
struct Stamp {
  nlohmann::json json;
  int64_t newest = 0;
};
Stamp stamp_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) invalid("{}: cannot be read: {}", file.string(), std::strerror(errno));
  const int64_t modified = nanoseconds(status.st_mtim), changed = nanoseconds(status.st_ctim);
  return {{{"size", status.st_size}, {"inode", status.st_ino}, {"modified_ns", modified}, {"changed_ns", changed}},
          std::max(modified, changed)};
}

int64_t now() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return nanoseconds(t);
}

// What a cache remembers, read again where another process has written it.
nlohmann::json& hashes_in(const fs::path& file) {
  struct Known {
    nlohmann::json stamp, hashes = nlohmann::json::object();
  };
  static thread_local std::map<fs::path, Known> all;
  Known& known = all[fs::absolute(file)];
  const nlohmann::json stamp = fs::exists(file) ? stamp_of(file).json : nlohmann::json();
  if (known.stamp == stamp) return known.hashes;
  known = {stamp, stamp.is_null() ? nlohmann::json::object() : json_or_discarded(read_file(file))};
  if (!known.hashes.is_object()) known.hashes = nlohmann::json::object();
  return known.hashes;
}

std::string hash_of(const fs::path& file, const std::function<void()>& between) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) invalid("{}: cannot be read: {}", file.string(), std::strerror(errno));
  try {
    std::string out = sha256_of_descriptor(fd, between);
    ::close(fd);
    return out;
  } catch (...) {
    ::close(fd);
    throw;
  }
}

}  // namespace

std::string file_hash(const fs::path& file) { return hash_of(file, {}); }

std::string content_hash(std::span<const fs::path> files, const fs::path& cache) {
  const fs::path memory = cache / "hashes.json";
  nlohmann::json none = nlohmann::json::object();
  nlohmann::json& known = cache.empty() ? none : hashes_in(memory);
  bool is_new = false;
  Sha256 sum;
  for (const fs::path& file : files) {
    const std::string path = fs::absolute(file).lexically_normal().string();
    // Stamps are coarse: a file that was just written may be written again without a new one, so it is not remembered.
    const int64_t started = now();
    const Stamp stamp = stamp_of(file);
    const auto found = known.find(path);
    std::string hash;
    if (found != known.end() && found->is_object() && found->value("stamp", nlohmann::json()) == stamp.json)
      hash = found->value("sha256", "");
    if (hash.size() != 64) {
      hash = hash_of(file, [&] { stop_if_interrupted("hashing {}", file.string()); });
      const bool settled = started - stamp.newest > 2 * second && stamp_of(file).json == stamp.json;
      if (settled) known[path] = {{"stamp", stamp.json}, {"sha256", hash}}, is_new = true;
    }
    sum.update(hash);
  }
  if (is_new && !cache.empty()) {
    fs::create_directories(cache);
    write_file(memory, known.dump(1) + '\n');
  }
  return sum.hex();
}

}  // namespace rgm
