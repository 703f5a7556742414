// decoder.cpp - the loop of decoding: rows that end leave, the others' keys and values move together, and rows that
// wait take the places.
#include "generate/decoder.hpp"

#include <algorithm>
#include <array>

namespace rgm {
namespace {

constexpr size_t rows_at_once = 64;
// So many places are free before waiting rows take them, as their keys and values then move together with all others'.
constexpr size_t rows_together = 8;

}  // namespace

void Decoder::run(std::span<DecodingRow> all) {
  const NoGradient no_gradient;
  std::vector<DecodingRow*> waiting;
  for (DecodingRow& row : all) waiting.push_back(&row);
  if (waiting.empty() || max_tokens_ == 0) return;
  const int64_t slots = reader_.capacity(waiting);
  State state;
  std::optional<std::vector<NextToken>> ready;  // instead of hidden states; never where rows have just left or come
  for (size_t next = 0;;) {
    const size_t room = rows_at_once - state.rows.size(), fresh = std::min(room, waiting.size() - next);
    if (fresh > 0 && (state.rows.empty() || room >= rows_together)) {
      take_in(std::span(waiting).subspan(next, fresh), slots, state);
      next += fresh;
    }
    if (state.rows.empty()) return;
    keep_going(ready ? *ready : chooser_.choose(state.rows, state.hidden), state);
    ready.reset();
    if (state.rows.empty()) continue;

    for (size_t b = 0; b < state.rows.size(); ++b) {
      if (std::ssize(state.rows[b]->text) <= reader_.room()) continue;
      reader_.forget_half(*state.rows[b], static_cast<int64_t>(b), *state.cache);
      chooser_.forget();
    }
    if (!reader_.is_by_row()) ready = chooser_.read_and_choose(state.rows, *state.cache);
    if (!ready) state.hidden = reader_.read_last(state.rows, *state.cache);
  }
}

void Decoder::take_in(std::span<DecodingRow*> fresh, int64_t slots, State& to) const {
  for (const std::span<DecodingRow* const> more : reader_.alike(fresh)) {
    auto [states, own] = reader_.read(more, slots);
    if (to.rows.empty())
      to.hidden = states, to.cache.emplace(std::move(own));
    else
      to.hidden = ops::concat(std::array{to.hidden, states}, 0), to.cache->append(own);
    to.rows.insert(to.rows.end(), more.begin(), more.end());
  }
}

// Adds a token to each row, and keeps the rows that go on.
void Decoder::keep_going(std::span<const NextToken> chosen, State& state) const {
  std::vector<int64_t> going;
  std::vector<DecodingRow*> kept;
  for (size_t b = 0; b < state.rows.size(); ++b) {
    DecodingRow* const row = state.rows[b];
    if (!goes_on(*row, chosen[b])) continue;
    going.push_back(static_cast<int64_t>(b));
    kept.push_back(row);
  }
  if (!kept.empty() && kept.size() < state.rows.size()) state.cache->keep(going);
  state.rows = std::move(kept);
}

bool Decoder::goes_on(DecodingRow& row, const NextToken& choice) const {
  Generated& out = row.out;
  out.tokens.push_back(choice.token);
  out.logprobs.push_back(choice.logprob);
  row.text.push_back(choice.token);
  if (tap_) tap_(row.index, choice.token);
  out.finished = endings_.end(out.tokens);
  const bool is_full = std::ssize(row.text) >= reader_.room() && !reader_.slides();
  return !out.finished && std::ssize(out.tokens) < max_tokens_ && !is_full;
}

}  // namespace rgm
