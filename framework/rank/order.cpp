// order.cpp - orders as people type them, and as files have them.
#include "rank/order.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>

#include "base/error.hpp"

namespace rgm::rank {

std::vector<int> parse_order(std::string_view text, size_t answers) {
  std::vector<int> ranks(answers);
  int rank = 1;
  bool wants_answer = true;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c))) continue;
    if (wants_answer) {
      const auto place = static_cast<size_t>(std::toupper(static_cast<unsigned char>(c)) - 'A');
      require(place < answers, "\"{}\" is not an answer here: there are A to {}", c,
              static_cast<char>('A' + answers - 1));
      require(ranks[place] == 0, "{} is given twice", static_cast<char>('A' + place));
      ranks[place] = rank;
    } else {
      require(c == '>' || c == '=', "\"{}\" between two answers: write > where the first is better, = for a tie", c);
      rank += c == '>';
    }
    wants_answer = !wants_answer;
  }
  const auto missing = std::ranges::find(ranks, 0);
  require(missing == ranks.end() && !wants_answer, "{} is left out: an order names every answer, as in {}",
          missing == ranks.end() ? "an answer" : std::string(1, static_cast<char>('A' + (missing - ranks.begin()))),
          "B > A = C");
  return ranks;
}

std::string format_order(std::span<const int> ranks) {
  std::vector<size_t> order(ranks.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order, {}, [&](size_t i) { return ranks[i]; });
  std::string out;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0) out += ranks[order[i]] == ranks[order[i - 1]] ? " = " : " > ";
    out += static_cast<char>('A' + order[i]);
  }
  return out;
}

std::vector<int> ranks_of(std::span<const size_t> order, const std::vector<bool>& ties) {
  require(ties.size() == order.size(), "{} answers and {} ties", order.size(), ties.size());
  std::vector<int> ranks(order.size());
  int rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    rank += i == 0 || !ties[i];
    require(order[i] < ranks.size() && ranks[order[i]] == 0, "the order does not name every answer once");
    ranks[order[i]] = rank;
  }
  return ranks;
}

void check_ranks(std::span<const int> ranks, size_t answers) {
  require(ranks.size() == answers, "{} ranks for {} answers", ranks.size(), answers);
  int last = 0;
  for (const int rank : ranks) last = std::max(last, rank);
  for (int rank = 1; rank <= last; ++rank)
    require(std::ranges::find(ranks, rank) != ranks.end(), "no answer has the rank {}, and one has {}", rank, last);
  require(std::ranges::all_of(ranks, [](int rank) { return rank >= 1; }), "a rank is below 1");
}

}  // namespace rgm::rank
