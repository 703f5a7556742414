// routing.hpp - how the passes of one micro-batch share their tokens among experts: what the term for an even load
// (Switch transformers, arXiv 2101.03961) has to know of all of them, and how uneven the load was.
#pragma once
#include <cstdint>

namespace rgm {

// The term of a step is balance x the mean over its tokens and over layers of E x sum over experts of f P: f is the
// share of a pass's tokens that have the expert among theirs, as transformers counts it, P the mean of its probability.
struct Routing {
  double share = 1;    // of the tokens of the step that this micro-batch has
  double tokens = 0;   // that its passes have read, padding left out; those without a gradient are not counted
  double busiest = 0;  // sum over layers of the largest f
  double layers = 0;
};

}  // namespace rgm
