// gaps.hpp - which stretches of memory are free, for a backend that keeps freed memory itself (held and trim of its
// table). Neighbours that are free become one, and a block comes from the smallest gap that has room, of equal ones the
// lowest: a step that was run once finds its blocks again, and what it frees serves larger blocks too. The memory itself
// is never touched. One thread at a time.
#pragma once
#include <cstdlib>
#include <map>
#include <set>
#include <unordered_map>

#include "error.hpp"

namespace regimen RGM_PRIVATE {

class Gaps {
 public:
  struct Stretch {
    char* place = nullptr;
    size_t size = 0;
  };

  // Memory that is new here, or was removed. It becomes one with what is free right before and behind it.
  void add(Stretch s) {
    if (const auto next = by_place_.find(s.place + s.size); next != by_place_.end()) {
      s.size += next->second;
      erase({next->first, next->second});
    }
    if (auto before = by_place_.lower_bound(s.place); before != by_place_.begin()) {
      const auto [place, size] = *--before;
      if (place + size == s.place) {
        erase({place, size});
        s = {place, size + s.size};
      }
    }
    insert(s);
  }
  // False where it is not one whole gap.
  bool remove(Stretch s) {
    const auto found = by_place_.find(s.place);
    if (found == by_place_.end() || found->second != s.size) return false;
    erase(s);
    return true;
  }

  // NULL: no gap has room.
  char* take(size_t size) {
    const auto gap = by_size_.lower_bound({size, nullptr});
    if (gap == by_size_.end()) return nullptr;
    const auto [length, place] = *gap;
    erase({place, length});
    if (length > size) insert({place + size, length - size});
    taken_.emplace(place, size);
    in_use_ += size;
    return place;
  }
  // Ends the program where the block was given back before, or is none.
  void give(void* block) {
    const auto taken = taken_.find(static_cast<char*>(block));
    if (taken == taken_.end()) std::abort();
    const Stretch s{taken->first, taken->second};
    taken_.erase(taken);
    in_use_ -= s.size;
    add(s);
  }

  size_t in_use() const { return in_use_; }
  template <class See>
  void each(const See& see) const {  // the gaps by place, never two that touch
    for (const auto& [place, size] : by_place_) see(Stretch{place, size});
  }

 private:
  void insert(Stretch s) {
    by_place_.emplace(s.place, s.size);
    by_size_.emplace(s.size, s.place);
  }
  void erase(Stretch s) {
    by_place_.erase(s.place);
    by_size_.erase({s.size, s.place});
  }

  std::map<char*, size_t> by_place_;
  std::set<std::pair<size_t, char*>> by_size_;
  std::unordered_map<char*, size_t> taken_;
  size_t in_use_ = 0;
};

}  // namespace regimen
