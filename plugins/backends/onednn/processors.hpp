// processors.hpp - how many processors the control groups of a process leave it, by their quotas of time: a container
// may run on all of the machine's, but not for long.
#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <istream>
#include <string>

namespace regimen::onednn {

// Of one group, begun ones included; "max", -1 and no file at all are no limit.
inline int64_t processors_of(const std::filesystem::path& group) {
  int64_t quota = -1, period = 0;                       // microseconds
  std::ifstream(group / "cpu.max") >> quota >> period;  // version 2
  std::ifstream(group / "cpu.cfs_quota_us") >> quota;   // version 1
  std::ifstream(group / "cpu.cfs_period_us") >> period;
  return quota > 0 && period > 0 ? (quota + period - 1) / period : INT64_MAX;
}

// The least of the groups that `lines` of /proc/self/cgroup name ("number:controllers:/path") and of those above them.
// Version 2 has one tree at `root`, without a list of controllers; version 1 has one for each, or a link to it.
inline int64_t processors_left(std::istream& lines, const std::filesystem::path& root) {
  int64_t left = INT64_MAX;
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(":/", first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    if (controllers != ",," && controllers.find(",cpu,") == std::string::npos) continue;
    const std::filesystem::path tree = controllers == ",," ? root : root / "cpu";
    for (std::filesystem::path group = tree / line.substr(second + 2);; group = group.parent_path()) {
      left = std::min(left, processors_of(group));
      if (group.native().size() <= tree.native().size()) break;
    }
  }
  return left;
}

}  // namespace regimen::onednn
