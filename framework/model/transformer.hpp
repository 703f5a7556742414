// transformer.hpp - the pass itself: tokens to hidden states.
#pragma once
#include "model/model.hpp"

namespace rgm {

// Model::hidden and hidden_with_front
Tensor read(const Model& model, const Pass& pass, KeyValueCache* cache, bool with_front);
// Position of each token in its segment, (B, T) I32, without a wait. Segments are contiguous, numbered up to T.
Tensor positions_in_segments(const Tensor& segments, int64_t context);
// How many tokens the segment of each has, likewise.
Tensor tokens_in_segments(const Tensor& segments);

}  // namespace rgm
