// memory.cpp - reads /proc and the files of control groups.
#include "base/memory.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace rgm {
namespace {

namespace fs = std::filesystem;

// The number of a line such as "VmHWM:  1234 kB" in `file`; nothing where there is none.
std::optional<uint64_t> number_of(const fs::path& file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(key)) return std::strtoull(line.c_str() + key.size(), nullptr, 10);
  return std::nullopt;
}
uint64_t kilobytes(const fs::path& file, const std::string& key) { return number_of(file, key).value_or(0) * 1024; }

std::optional<uint64_t> number_in(const fs::path& file) {
  std::ifstream stream(file);
  uint64_t n = 0;
  if (stream >> n) return n;
  return std::nullopt;  // "max", or no such file
}

// What the groups that this process is in leave it; what they hold of files can be given back.
uint64_t left_by_groups() {
  uint64_t left = UINT64_MAX;
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::/")) continue;
    const fs::path root = "/sys/fs/cgroup";
    for (fs::path group = root / line.substr(4);; group = group.parent_path()) {
      if (const auto limit = number_in(group / "memory.max")) {
        const uint64_t files = number_of(group / "memory.stat", "inactive_file ").value_or(0);
        const uint64_t used = number_in(group / "memory.current").value_or(0);
        left = std::min(left, *limit - std::min(*limit, used - std::min(used, files)));
      }
      if (group == root || group.string().size() <= root.string().size()) break;
    }
  }
  return left;
}

}  // namespace

uint64_t peak_memory() { return kilobytes("/proc/self/status", "VmHWM:"); }
uint64_t memory_in_use() { return kilobytes("/proc/self/status", "VmRSS:"); }
// Libraries for products pack matrices into a few megabytes of their own, each time anew: with malloc's defaults these
// are mapped and given back in every step.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 16 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
}
void give_back_memory() { ::malloc_trim(0); }
// Where the system does not allow it, the peak is that of the whole process.
void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5\n"; }

uint64_t machine_memory() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

uint64_t free_memory() {
  uint64_t left = kilobytes("/proc/meminfo", "MemAvailable:");
  if (left) left += kilobytes("/proc/meminfo", "SwapFree:");
  left = std::min(left, left_by_groups());
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    const uint64_t used = kilobytes("/proc/self/status", "VmSize:");
    left = std::min<uint64_t>(left, limit.rlim_cur - std::min<uint64_t>(limit.rlim_cur, used));
  }
  return left;
}

}  // namespace rgm
