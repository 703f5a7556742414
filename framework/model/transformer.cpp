// transformer.cpp - the pass itself from its beginning to its end, and positions within packed rows.
#include "model/transformer.hpp"

#include <optional>

#include "model/reader.hpp"
#include "tensor/ops.hpp"

namespace rgm {

Tensor PassReader::operator()(bool with_front) {
  Tensor x = embed();
  const bool light = model_.recompute && recording() && !cache_;
  std::shared_ptr<PassReader> kept;
  for (size_t i = 0; i < model_.layers().size(); ++i) x = light ? light_block(i, x, kept) : block(i, std::move(x));
  if (cache_) cache_->finish();
  if (prompts_ > 0) x = ops::slice(x, 1, prompts_ - (with_front ? 1 : 0), T_);
  return norm(x, model_.last_norm());
}

namespace {

// Where segments begin, and a number (B T) for that of each token which no other of the batch has: that in the row is
// below T where that in the batch may be any.
struct Segments {
  explicit Segments(const Tensor& segments) : B(segments.size(0)), T(segments.size(1)) {
    begins = ops::full({B, 1}, 0, RGM_BOOL);
    if (T > 1) {
      const Tensor goes_on = ops::binary(RGM_EQUAL, ops::slice(segments, 1, 1, T), ops::slice(segments, 1, 0, T - 1));
      begins = ops::concat(std::array{begins, ops::binary(RGM_EQUAL, goes_on, ops::full({}, 0, RGM_BOOL))}, 1);
    }
    const Tensor ids = ops::cast(ops::cumsum(ops::cast(begins, RGM_F32), 1), RGM_I32);
    const Tensor rows = ops::affine(ops::reshape(ops::iota(B), {B, 1}), static_cast<double>(T + 1), 0);
    place = ops::reshape(ops::contiguous(ids + rows), {-1});
  }
  // Of each token, the sum of x (B, T) over its segment, (B, T) I32
  Tensor sums(const Tensor& x) const {
    const Tensor all = ops::full({B * (T + 1)}, 0);
    ops::scatter_add(all, 0, place, ops::reshape(ops::contiguous(x), {-1}));
    return ops::cast(ops::reshape(ops::gather(all, 0, place), {B, T}), RGM_I32);
  }
  int64_t B, T;
  Tensor begins, place;
};

}  // namespace

Tensor positions_in_segments(const Tensor& segments, int64_t context) {
  const NoGradient no_gradient;
  const Segments in(segments);
  const auto number = [](int64_t n) { return ops::full({}, static_cast<double>(n), RGM_I32); };
  const Tensor t = ops::iota(in.T);  // (T)
  const Tensor start =
      in.sums(ops::select(in.begins, ops::broadcast(ops::cast(t, RGM_F32), {in.B, in.T}), ops::full({}, 0)));
  return ops::binary(RGM_MAX, number(0), ops::binary(RGM_MIN, t - start, number(context - 1)));
}

Tensor tokens_in_segments(const Tensor& segments) {
  const NoGradient no_gradient;
  const Segments in(segments);
  return in.sums(ops::full({in.B, in.T}, 1));
}

Tensor read(const Model& model, const Pass& pass, KeyValueCache* cache, bool with_front) {
  std::optional<NoGradient> no_gradient;
  if (cache) no_gradient.emplace();
  return PassReader(model, pass, cache)(with_front);
}

}  // namespace rgm
