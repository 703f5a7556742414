// order.hpp - an order of answers with ties: ranks from 1 (the best), equal ones are ties, and the next is one more, as
// in 1 2 2 3.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rgm::rank {

// "C > B = D > A" of four answers is 3 2 1 2. Letters of either case; spaces do not count. RGM_INVALID: an answer that
// is not there, twice, or left out.
std::vector<int> parse_order(std::string_view text, size_t answers);
std::string format_order(std::span<const int> ranks);  // the inverse; ties in the order of their letters
// Places of the answers from the best to the last, and where each ties with the one before it.
std::vector<int> ranks_of(std::span<const size_t> order, const std::vector<bool>& ties);
// RGM_INVALID unless these are ranks of so many answers: 1, and none left out.
void check_ranks(std::span<const int> ranks, size_t answers);

}  // namespace rgm::rank
