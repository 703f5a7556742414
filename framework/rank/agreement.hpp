// agreement.hpp - how far two people rank alike.
#pragma once
#include <optional>
#include <span>

namespace rgm::rank {

// Kendall's tau-b (Biometrika 33, 1945) of two rankings of the same answers: 1 the same order, -1 the opposite. Nothing
// where one of them ties all answers.
std::optional<double> tau_b(std::span<const int> a, std::span<const int> b);

}  // namespace rgm::rank
