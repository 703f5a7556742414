// forked.hpp - processes of a test that work together, each a fork of it, over memory that they share.
#pragma once
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/process_group.hpp"

namespace rgm::test {

class ForkedGroup final : public ProcessGroup {
 public:
  struct Shared {
    static constexpr size_t most = 4, room = size_t{1} << 16;  // bytes at once: longer ones go in parts
    pthread_barrier_t all_here;
    size_t sizes[most];
    char bytes[most][room];
  };
  ForkedGroup(Shared& shared, int rank, int size) : shared_(shared), rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void wait() override { pthread_barrier_wait(&shared_.all_here); }
  std::vector<std::string> gather(std::string_view bytes) override {
    std::vector<std::string> all(static_cast<size_t>(size_));
    shared_.sizes[rank_] = bytes.size();
    wait();
    const std::vector<size_t> sizes(shared_.sizes, shared_.sizes + size_);
    for (size_t at = 0, end = *std::ranges::max_element(sizes); at < end; at += Shared::room) {
      const std::string_view part = bytes.substr(std::min(at, bytes.size()), Shared::room);
      std::memcpy(shared_.bytes[rank_], part.data(), part.size());
      wait();
      for (size_t r = 0; r < all.size(); ++r)
        all[r].append(shared_.bytes[r], std::min(Shared::room, sizes[r] - std::min(at, sizes[r])));
      wait();
    }
    wait();
    return all;
  }
  void sum(std::span<float> values) override {
    const auto all = gather({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
    std::fill(values.begin(), values.end(), 0.0F);
    for (const std::string& one : all)
      for (size_t i = 0; i < values.size(); ++i) {
        float x = 0;
        std::memcpy(&x, one.data() + i * sizeof x, sizeof x);
        values[i] += x;
      }
  }

 private:
  Shared& shared_;
  int rank_, size_;
};

// What `work` answers in each of them, by rank; "threw: TEXT" where it throws.
inline std::vector<std::string> in_processes(int n, const std::function<std::string(ProcessGroup&)>& work) {
  void* const memory =
      ::mmap(nullptr, sizeof(ForkedGroup::Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto& shared = *static_cast<ForkedGroup::Shared*>(memory);
  pthread_barrierattr_t attributes;
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&shared.all_here, &attributes, static_cast<unsigned>(n));
  std::string pattern = (fs::temp_directory_path() / "regimen-forked-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  std::vector<pid_t> children;
  for (int rank = 0; rank < n; ++rank) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    ::alarm(60);  // who waits for one that is gone
    ForkedGroup group(shared, rank, n);
    std::string said;
    try {
      said = work(group);
    } catch (const std::exception& e) {
      said = std::string("threw: ") + e.what();
    }
    write_file(folder / std::to_string(rank), said);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  std::vector<std::string> all;
  for (int rank = 0; rank < n; ++rank) {
    int status = 0;
    ::waitpid(children[static_cast<size_t>(rank)], &status, 0);
    EXPECT_EQ(status, 0) << "process " << rank;
    const fs::path file = folder / std::to_string(rank);
    all.push_back(fs::exists(file) ? read_file(file) : "");
  }
  fs::remove_all(folder);
  ::munmap(memory, sizeof(ForkedGroup::Shared));
  return all;
}

}  // namespace rgm::test
