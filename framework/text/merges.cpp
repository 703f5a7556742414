// merges.cpp - the pair of lowest rank is merged, the leftmost of equals, until none is left.
#include "text/merges.hpp"

#include <functional>
#include <queue>

namespace rgm {

void Merges::merge(std::span<const int32_t> ids, std::vector<int32_t>& out) const {
  struct Symbol {
    int32_t id;  // -1 once merged into the one before
    size_t previous, next;
  };
  struct Candidate {
    int32_t rank;
    size_t at;
    int32_t left, right;  // a candidate is void when the ids are no longer these
    bool operator>(const Candidate& o) const { return rank != o.rank ? rank > o.rank : at > o.at; }
  };
  const size_t n = ids.size();
  std::vector<Symbol> symbols(n);
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto consider = [&](size_t at) {
    if (at >= n || symbols[at].next >= n) return;
    const int32_t left = symbols[at].id, right = symbols[symbols[at].next].id;
    if (const auto found = merges_.find(pair_of(left, right)); found != merges_.end())
      queue.push({found->second.rank, at, left, right});
  };
  for (size_t i = 0; i < n; ++i) symbols[i] = {ids[i], i == 0 ? n : i - 1, i + 1};
  for (size_t i = 0; i < n; ++i) consider(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.at];
    if (left.id != best.left || left.next >= n || symbols[left.next].id != best.right) continue;
    Symbol& right = symbols[left.next];
    left.id = merges_.find(pair_of(best.left, best.right))->second.whole;
    left.next = right.next;
    right.id = -1;
    if (left.next < n) symbols[left.next].previous = best.at;
    consider(left.previous);
    consider(best.at);
  }
  for (size_t i = 0; i < n; i = symbols[i].next) out.push_back(symbols[i].id);
}

}  // namespace rgm
