// reader.cpp - the beginning of a pass: where its tokens stand, and their embedding.
#include "model/reader.hpp"

#include <algorithm>
#include <cmath>

#include "model/transformer.hpp"
#include "tensor/ops.hpp"

namespace rgm {

PassReader::PassReader(const Model& model, const Pass& pass, KeyValueCache* cache)
    : model_(model), config_(model.config()), pass_(pass), hooked_(model) {
  require(pass.tokens && pass.tokens.rank() == 2 && pass.tokens.dtype() == RGM_I32,
          "a pass needs tokens (B, T) of int32, not {} of {}", pass.tokens ? pass.tokens.shape().text() : "nothing",
          pass.tokens ? name_of(pass.tokens.dtype()) : "nothing");
  for (const auto& [tensor, name] : {std::pair(pass.segments, "segments"), std::pair(pass.positions, "positions")})
    require(!tensor || (tensor.shape() == pass.tokens.shape() && tensor.dtype() == RGM_I32),
            "a pass with tokens {} and {} {}, int32 of one shape expected", pass.tokens.shape().text(), name,
            tensor ? tensor.shape().text() : "");
  if (model.recompute) before_ = random_state();
  B_ = pass.tokens.size(0), text_ = T_ = pass.tokens.size(1);
  require(B_ > 0 && text_ > 0, "a pass over no tokens: {}", pass.tokens.shape().text());
  hooked_.begin(pass.adapters, B_);
  const bool first = !cache || std::ranges::all_of(cache->lengths, [](int64_t n) { return n == 0; });
  if (first) {  // later these lie in the cache
    prompt_ = hooked_.prompt(model.embedding_site());
    prompts_ = prompt_ ? prompt_.size(-2) : 0;
    for (const LayerPart& layer : model.layers()) {
      key_values_.push_back(hooked_.key_values(layer.attention));
      if (const Tensor& k = key_values_.back().first) prefix_ = std::max(prefix_, k.size(-3));
    }
  }
  T_ += prompts_;
  if (cache) cache_.emplace(*cache, pass, T_, prompts_, prefix_);
  check_length();
  place();
  count_tokens();
}

void PassReader::check_length() const {
  const int64_t before = prefix_ + prompts_ + (cache_ && !cache_->fresh() ? cache_->longest() : 0);
  if (before + text_ <= config_.context) return;
  if (cache_ && !cache_->fresh())
    invalid("{} tokens after {} that were read do not fit into the model's context of {}", text_, before,
            config_.context);
  if (before == 0) invalid("{} tokens do not fit into the model's context of {}", text_, config_.context);
  invalid("{} tokens and {} virtual ones do not fit into the model's context of {}", text_, before, config_.context);
}

// Positions and segments of all slots. A prompt stands in front of every row, and all of its segments see it.
void PassReader::place() {
  start_ = prefix_;
  if (cache_ && !cache_->together())
    positions_ = cache_->positions();
  else if (cache_)
    start_ = cache_->fresh() ? prefix_ : cache_->start();
  else if (pass_.positions || pass_.segments) {
    const Tensor own = pass_.positions ? pass_.positions : positions_in_segments(pass_.segments, config_.context);
    const auto limit = [](int64_t n) { return ops::full({}, static_cast<double>(n), RGM_I32); };
    // Kept inside of the table whatever a caller gives.
    positions_ =
        ops::binary(RGM_MIN, ops::affine(own, 1, static_cast<double>(prefix_ + prompts_)), limit(config_.context - 1));
    positions_ = ops::binary(RGM_MAX, positions_, limit(0));
  }
  const auto line = [&](int64_t n) {
    return ops::broadcast(ops::affine(ops::iota(n), 1, static_cast<double>(start_)), {B_, n});
  };
  if (positions_ && prompts_ > 0) positions_ = ops::concat(std::array{line(prompts_), positions_}, 1);
  if (!positions_ && config_.family->positions == Positions::rotary) positions_ = ops::contiguous(line(T_));
  if (const int64_t most = config_.most_of_short(config_.rope); most > 0) rows_ = rows_in_table(most);

  if (cache_ && !cache_->fresh()) return;
  segments_ = pass_.segments ? pass_.segments : cache_ ? cache_->segments() : Tensor();
  if (segments_ && prompts_ > 0)
    segments_ = ops::concat(std::array{ops::full({B_, prompts_}, prompt_segment, RGM_I32), segments_}, 1);
}

// Under longrope the length of a text decides by which factors all of it turns. transformers goes by the longest text
// of a batch, and reads everything again when an answer outgrows the old context. Here it is each text's own length, so
// that it computes the same alone and packed with others; and what the cache has room for, as its keys have turned
// before the text's length is known. Behind a prompt, whose keys all texts of a row see, it is that of the row, and
// where positions are given the largest of the row.
Tensor PassReader::rows_in_table(int64_t most) const {
  const int64_t front = prefix_ + prompts_, unread = pass_.lacks_last ? 1 : 0;
  const Tensor longer = ops::affine(positions_, 1, static_cast<double>(most));
  if (!cache_ && pass_.positions) {
    const Tensor last = ops::reduce(RGM_MAXIMUM, 1U << 1, ops::cast(positions_, RGM_F32), true);
    const Tensor is_longer = ops::binary(RGM_LESS, ops::full({}, static_cast<double>(most - 1 - unread)), last);
    return ops::select(ops::broadcast(is_longer, positions_.shape()), longer, positions_);
  }
  if ((cache_ ? cache_->capacity() : front + text_ + unread) <= most) return positions_;
  if (cache_ || !pass_.segments || prompts_ > 0) return longer;
  const Tensor own = ops::full({}, static_cast<double>(most - front), RGM_I32);
  const Tensor all = tokens_in_segments(pass_.lacks_last ? pass_.whole_segments : pass_.segments);
  return ops::select(ops::binary(RGM_LESS, own, ops::slice(all, 1, 0, T_)), longer, positions_);
}

// x (B, T, C) = embedding of the tokens, behind the prompt, + that of the positions
Tensor PassReader::embed() const {
  const int64_t C = config_.channels;
  const size_t site = model_.embedding_site();
  const Tensor& table = model_.sites()[site].weight;
  Tensor x = ops::cast(ops::gather(table, 0, ops::reshape(ops::contiguous(pass_.tokens), {-1})), RGM_F32);
  x = hooked_.output(site, pass_.tokens, ops::reshape(x, {B_, text_, C}));
  if (const double scale = model_.sites()[site].scale; scale != 1) x = scale * x;
  if (prompt_) {
    const Tensor front = ops::broadcast(ops::reshape(prompt_, {-1, prompts_, C}), {B_, prompts_, C});
    x = ops::concat(std::array{front, x}, 1);
  }
  // transformers multiplies vectors that it is handed too, such as PEFT's prompts: what acts at the site sees none of
  // it.
  if (config_.embedding_multiplier != 1) x = config_.embedding_multiplier * x;
  if (config_.family->positions == Positions::learned) {
    const Tensor& places = model_.parameters().find("positions.weight")->value;
    const int64_t first = config_.family->first_position;
    if (positions_) {
      const Tensor rows = first > 0 ? ops::affine(positions_, 1, static_cast<double>(first)) : positions_;
      x = x + ops::reshape(ops::gather(places, 0, ops::reshape(ops::contiguous(rows), {-1})), {B_, T_, C});
    } else {
      x = x + ops::slice(places, 0, first + start_, first + start_ + T_);
    }
  }
  return hooked_.dropout(site, x);
}

}  // namespace rgm
