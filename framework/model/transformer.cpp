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

Tensor positions_in_segments(const Tensor& segments, int64_t context) {
  const NoGradient no_gradient;
  const int64_t B = segments.size(0), T = segments.size(1);
  const auto number = [](int64_t n) { return ops::full({}, static_cast<double>(n), RGM_I32); };
  const Tensor t = ops::iota(T);  // (T)
  // Each segment's first place is filed under its number in the row, which is below T where that in the batch may be
  // any, and every token looks it up.
  Tensor begins = ops::full({B, 1}, 0, RGM_BOOL);
  if (T > 1) {
    const Tensor goes_on = ops::binary(RGM_EQUAL, ops::slice(segments, 1, 1, T), ops::slice(segments, 1, 0, T - 1));
    begins = ops::concat(std::array{begins, ops::binary(RGM_EQUAL, goes_on, ops::full({}, 0, RGM_BOOL))}, 1);
  }
  const Tensor first = ops::select(begins, ops::broadcast(ops::cast(t, RGM_F32), {B, T}), ops::full({}, 0));
  const Tensor ids = ops::cast(ops::cumsum(ops::cast(begins, RGM_F32), 1), RGM_I32);
  const Tensor rows = ops::affine(ops::reshape(ops::iota(B), {B, 1}), static_cast<double>(T + 1), 0);
  const Tensor place = ops::reshape(ops::contiguous(ids + rows), {-1});
  const Tensor starts = ops::full({B * (T + 1)}, 0);
  ops::scatter_add(starts, 0, place, ops::reshape(ops::contiguous(first), {-1}));
  const Tensor start = ops::cast(ops::reshape(ops::gather(starts, 0, place), {B, T}), RGM_I32);
  return ops::binary(RGM_MAX, number(0), ops::binary(RGM_MIN, t - start, number(context - 1)));
}

Tensor read(const Model& model, const Pass& pass, KeyValueCache* cache, bool with_front) {
  std::optional<NoGradient> no_gradient;
  if (cache) no_gradient.emplace();
  return PassReader(model, pass, cache)(with_front);
}

}  // namespace rgm
