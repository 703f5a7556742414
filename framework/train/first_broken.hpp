// first_broken.hpp - where a number stopped being finite: a step is taken once more and looked at, operation by
// operation.
#pragma once
#include <functional>
#include <span>
#include <string>

#include "model/parameters.hpp"

namespace rgm {

// The first parameter that holds a number that is not finite; else the first operation behind `loss` that was given
// one; else the first whose gradient has one, on the way back. Empty: everything is finite. Uses the tape of `loss`;
// waits.
std::string first_broken(const Tensor& loss, std::span<Parameters* const> stores);

}  // namespace rgm
