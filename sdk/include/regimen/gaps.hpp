// gaps.hpp - keeps track of which stretches of memory are free, for a backend that reuses freed memory itself (held and
// trim of its table). Free neighbours become one gap, and a block comes from the smallest gap that has room, or the
// lowest of equal ones. So a step that was run once finds its blocks again, and what it frees can serve larger blocks
// too. The memory itself is never touched. For one thread at a time.
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

  // A new gap, or one that was removed. It is joined to what is free right before and after it.
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
  // Takes out a gap, as for giving its memory back to the system; false unless it is exactly one whole gap.
  bool remove(Stretch s) {
    const auto found = by_place_.find(s.place);
    if (found == by_place_.end() || found->second != s.size) return false;
    erase(s);
    return true;
  }

  // A block of `size`; NULL if no gap has room.
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
  // Ends the program if the block was given back before, or never came from take().
  void give(void* block) {
    const auto taken = taken_.find(static_cast<char*>(block));
    if (taken == taken_.end()) std::abort();
    const Stretch s{taken->first, taken->second};
    taken_.erase(taken);
    in_use_ -= s.size;
    add(s);
  }

  size_t in_use() const { return in_use_; }  // bytes taken and not given back
  template <class See>
  void each(const See& see) const {  // the gaps in order of address; no two of them touch
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
