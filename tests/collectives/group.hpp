// group.hpp - a collective's library with the least of a host, and processes that are forked to join by it.
#pragma once
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regimen/abi.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace rgm::collectives {

inline std::string& last_failure() {
  thread_local std::string text;
  return text;
}
inline rgm_status keep(rgm_status code, rgm_str text) {
  last_failure().assign(text.data, text.size);
  return code;
}
inline rgm_str kept() { return {last_failure().data(), last_failure().size()}; }

inline const rgm_collective& table_of(const std::string& name) {
  static const rgm_host host = [] {
    rgm_host h{};
    h.struct_size = sizeof h;
    h.fail = keep;
    h.last_error = kept;
    return h;
  }();
  void* const library = dlopen((REGIMEN_PLUGIN_DIRECTORY "/" + name + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  const auto* plugin = static_cast<const rgm_plugin*>(dlsym(library, "regimen_plugin_v1"));
  if (!plugin || plugin->init(&host) != RGM_OK) throw std::runtime_error(name + " is no plug-in");
  return *static_cast<const rgm_collective*>(plugin->components[0]->table);
}

// One process's place in a group. What fails throws the text that it failed with.
class Member {
 public:
  Member(const rgm_collective& table, uint32_t rank, uint32_t size, const std::string& place) : table_(table) {
    const rgm_join join{sizeof(rgm_join), 0, rank, size, {place.data(), place.size()}};
    check(table_.join(nullptr, &join, &group_));
  }
  ~Member() { table_.leave(group_); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  rgm_group_info info() const {
    rgm_group_info out{};
    out.struct_size = sizeof out;
    check(table_.info(group_, &out));
    return out;
  }
  void sum(std::vector<float>& values) const { check(table_.sum(group_, values.data(), values.size())); }
  std::string gather(const std::string& mine) const {
    std::string all(mine.size() * info().size, '?');
    check(table_.gather(group_, mine.data(), mine.size(), all.data()));
    return all;
  }
  void wait() const { check(table_.wait(group_)); }
  void abort(const std::string& text) const { table_.abort(group_, {text.data(), text.size()}); }

 private:
  static void check(rgm_status status) {
    if (status != RGM_OK) throw std::runtime_error(last_failure());
  }
  const rgm_collective& table_;
  rgm_group* group_ = nullptr;
};

// Forks `size` processes that join; what `work` answers in each, or what it failed with, by rank. "signal 9" and the
// like stands for one that a signal ended.
inline std::vector<std::string> in_processes(const rgm_collective& table, uint32_t size,
                                             const std::function<std::string(const Member&)>& work) {
  static int number = 0;
  const std::string place = "test-" + std::to_string(::getpid()) + "-" + std::to_string(number++);
  std::vector<pid_t> children(size);
  std::vector<int> ends(size);
  for (uint32_t rank = 0; rank < size; ++rank) {
    int both[2];
    if (::pipe(both) != 0) throw std::runtime_error("no pipe");
    children[rank] = ::fork();
    if (children[rank] == 0) {
      std::string said;
      try {
        const Member member(table, rank, size, place);
        said = work(member);
      } catch (const std::exception& e) {
        said = std::string("failed: ") + e.what();
      }
      const bool written = ::write(both[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
      ::_exit(written ? 0 : 1);
    }
    ::close(both[1]);
    ends[rank] = both[0];
  }
  std::vector<std::string> said(size);
  for (uint32_t rank = 0; rank < size; ++rank) {
    char piece[4096];
    for (ssize_t n; (n = ::read(ends[rank], piece, sizeof piece)) > 0;)
      said[rank].append(piece, static_cast<size_t>(n));
    ::close(ends[rank]);
    int status = 0;
    ::waitpid(children[rank], &status, 0);
    if (WIFSIGNALED(status)) said[rank] = "signal " + std::to_string(WTERMSIG(status));
  }
  return said;
}

inline std::string text_of(const std::vector<float>& values) {
  std::string out;
  for (const float x : values) {
    char text[32];
    std::snprintf(text, sizeof text, "%s%g", out.empty() ? "" : " ", x);
    out += text;
  }
  return out;
}

}  // namespace rgm::collectives
