// gradients.hpp - the table of gradients: a rule an operation, in the order of ops.hpp, defined in gradients_*.cpp.
// Rules run outside of any tape; Backward::add drops what nobody needs, and sums what was broadcast. Which inputs,
// saved tensors and arguments a rule has is listed here.
#pragma once
#include <functional>

#include "tensor/tape.hpp"

namespace rgm::gradients {

void unary(Backward& b);  // saved: x; i[0]: op
void scale(Backward& b);  // f[0]: factor
void add(Backward& b);
void subtract(Backward& b);
void multiply(Backward& b);  // saved: the two inputs, each where the other needs it
void divide(Backward& b);    // saved: a where b needs it, b
void extreme(Backward& b);   // minimum, maximum; saved: the two inputs; i[0]: op
void select(Backward& b);    // saved: c; inputs: a, b
void cast(Backward& b);
void dropout(Backward& b);      // saved: the mask; f[0]: factor
void matmul(Backward& b);       // saved: a, b, each where the other needs it; i: transpose_a, _b, native; f[0]: alpha
void sum(Backward& b);          // i[0]: axes; f[0]: factor
void maximum(Backward& b);      // saved: x, y; i[0]: axes
void logsumexp(Backward& b);    // saved: x, y; i[0]: axes
void segment_sum(Backward& b);  // saved: flat segments; i[0]: n
void reshape(Backward& b);
void permute(Backward& b);  // i[0]: the axes, four bits each
void slice(Backward& b);    // i: axis, begin, end
void split(Backward& b);    // outputs: the parts; i[0]: axis; more: their sizes
void concat(Backward& b);   // i[0]: axis
void gather(Backward& b);   // saved: index; i[0]: axis
void broadcast(Backward& b);
// more: std::function<Tensor()>
void with_gradient(Backward& b);
void softmax(Backward& b);        // saved: y; i[0]: axis
void cumsum(Backward& b);         // i[0]: axis
void pick(Backward& b);           // saved: flat index. Also of top_k
void norm(Backward& b);           // inputs: x, w, b; saved: x, w, b, mean or nothing, rstd; f[0]: epsilon
void linear(Backward& b);         // inputs: x, w, b, residual; saved: x if not remade, w, aux; i: activation, native
void rope(Backward& b);           // saved: positions, cos, sin
void attention(Backward& b);      // inputs, saved: q, k, v, then y, lse, key; more: AttentionOptions
void head_logprobs(Backward& b);  // inputs: x, w; saved: x, w, targets; f: scale, softcap
void head_sum(Backward& b);    // inputs: x, w, weights; saved: dx, dw, and what a row costs; cross entropy, divergence
void gated(Backward& b);       // saved: what the activation was given, u; i: the activation
void recomputed(Backward& b);  // more: std::function<Tensor()>
void custom(Backward& b);      // saved: inputs, outputs; i: their numbers; more: Custom

// Whether what the step answered can be made again of what it saved; and that, until the walk has passed the step.
bool remakes(const Step* maker);
Tensor remade(const Step& maker);

// The gradient of a fused operation whose own the backend lacks: `composed` is run again on `inputs`, and its tape is
// walked. Input i of the step is inputs[i].
void replay(Backward& b, std::span<const Tensor> inputs,
            const std::function<Tensor(std::span<const Tensor>)>& composed);

}  // namespace rgm::gradients
