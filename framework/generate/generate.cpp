// generate.cpp - decoding of many rows side by side: rows that end leave, the others' keys and values move together,
// and rows that wait take the places. What a row computes does not depend on its neighbours but for the rounding of
// products of other sizes.
#include "generate/generate.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "base/philox.hpp"
#include "generate/steady.hpp"

namespace rgm {
namespace {

constexpr size_t rows_at_once = 64;
// So many places are free before waiting rows take them, as their keys and values then move together with all others'.
constexpr size_t rows_together = 8;
constexpr int steps_before_capture = 2;  // with the same rows

struct Row {
  int64_t index = 0, answer = 0;  // of all answers; of those to its prompt
  int32_t adapter = no_adapter;
  std::vector<int32_t> text;  // what the model has read or is about to read
  Generated out;
};

class Decoder {
 public:
  // `adapters`: of the prompts, all with as many virtual tokens as the first
  Decoder(const Model& model, const Sampling& sampling, bool slide, const std::function<void(int64_t, int32_t)>& tap,
          std::span<const int32_t> adapters)
      : model_(model),
        sampling_(sampling),
        tap_(tap),
        front_(model.front(adapters).count()),
        room_(std::min(model.config().context - front_, sampling.room > 0 ? sampling.room : INT64_MAX)),
        slide_(slide && room_ > 1),
        by_row_(!adapters.empty()) {
    require(room_ > 0, "{} virtual tokens leave no room in the model's context of {}", front_, model.config().context);
    if (sampling.end_at_end_of_text) ends_ = ends_of_text(model);
    if (model.tokenizer()) words_ = model.tokenizer()->vocabulary();
  }

  std::vector<int32_t> fitted(const std::vector<int32_t>& prompt, size_t index) const;
  void run(std::vector<Row>& rows);

 private:
  std::pair<Tensor, KeyValueCache> read(std::span<Row* const> rows, int64_t slots) const;
  Tensor next_states(std::span<Row* const> rows, KeyValueCache& cache) const;
  void forget_half(Row& row, int64_t b, KeyValueCache& cache) const;
  struct Likelihoods {
    Tensor words;  // (B, words) log-probabilities of what may be chosen, by themselves
    Tensor share;  // (B) log of what these have of all that the model knows; empty: all
  };
  Likelihoods likelihoods(const Tensor& hidden) const;
  std::vector<NextToken> choices(std::span<Row* const> rows, const Tensor& hidden);
  std::optional<ops::Drawn> drawn(const Likelihoods& all, const Tensor& draws) const;
  std::vector<int32_t> draws(std::span<Row* const> rows) const;
  std::optional<std::vector<NextToken>> steady_choices(std::span<Row* const> rows, KeyValueCache& cache);
  bool take(Row& row, const NextToken& choice) const;
  bool ends(const Row& row) const;
  bool completes_a_stop(std::span<const int32_t> tokens) const;
  int64_t capacity(std::span<Row* const> rows) const;
  std::vector<std::span<Row* const>> alike(std::span<Row*> rows) const;
  std::vector<int32_t> adapters_of(std::span<Row* const> rows) const;

  const Model& model_;
  const Sampling& sampling_;
  const std::function<void(int64_t, int32_t)>& tap_;
  int64_t front_;  // virtual tokens
  int64_t room_;   // for text, in the context
  bool slide_;
  bool by_row_;                       // rows name their adapters
  std::vector<int32_t> ends_;         // tokens that end a text
  bool draws_there_ = false;          // the device has drawn tokens
  std::optional<SteadyStep> steady_;  // of steady_rows_, which have gone on together for same_rows_ steps
  std::vector<Row*> steady_rows_;
  int same_rows_ = 0;
  int64_t words_ = INT64_MAX;  // what the model has more of, to make its products round, is never chosen
};

std::vector<int32_t> Decoder::fitted(const std::vector<int32_t>& prompt, size_t index) const {
  require(!prompt.empty(), "prompt {} is empty; at least one token is needed to continue from", index);
  if (slide_) return {prompt.end() - std::min(room_, std::ssize(prompt)), prompt.end()};
  require(std::ssize(prompt) + (sampling_.max_tokens > 0) <= room_,
          "prompt {} has {} tokens, and there is room for {} together with an answer", index, prompt.size(), room_);
  return prompt;
}

int64_t Decoder::capacity(std::span<Row* const> rows) const {
  size_t longest = 0;
  for (const Row* row : rows) longest = std::max(longest, row->text.size());
  return front_ + std::min(room_, static_cast<int64_t>(longest) + sampling_.max_tokens);
}

std::vector<int32_t> Decoder::adapters_of(std::span<Row* const> rows) const {
  std::vector<int32_t> out;
  if (by_row_)
    for (const Row* row : rows) out.push_back(row->adapter);
  return out;
}

// In the order of their lengths, cut where the longest would fill the others up with more than half of what they have:
// one long prompt would else make all as long. Rows of an adapter stay together.
std::vector<std::span<Row* const>> Decoder::alike(std::span<Row*> rows) const {
  if (by_row_) return {rows};
  std::ranges::stable_sort(rows, {}, [](const Row* row) { return row->text.size(); });
  std::vector<std::span<Row* const>> out;
  constexpr size_t few = 1024;  // tokens that are not worth a pass of their own
  for (size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    size_t sum = 0;
    for (end = begin; end < rows.size(); ++end) {
      const size_t next = rows[end]->text.size(), filled = next * (end + 1 - begin);
      sum += next;
      if (filled - sum > std::max(few, sum / 2)) break;
    }
    out.push_back(rows.subspan(begin, end - begin));
  }
  return out;
}

// Reads new rows into a cache of their own and answers their last states (B, C). A text that several rows have in
// common, as answers to one prompt do, is read once.
std::pair<Tensor, KeyValueCache> Decoder::read(std::span<Row* const> rows, int64_t slots) const {
  std::vector<Row*> different;
  std::vector<int64_t> of;  // which of these each row begins with
  for (Row* row : rows) {
    const bool again =
        !different.empty() && row->adapter == different.back()->adapter && row->text == different.back()->text;
    if (!again) different.push_back(row);
    of.push_back(std::ssize(different) - 1);
  }
  const auto B = std::ssize(different);
  KeyValueCache cache(model_.config(), B, slots, model_.dtype());
  Pass pass{.tokens = {}, .adapters = adapters_of(different)};
  for (const Row* row : different) pass.counts.push_back(std::ssize(row->text));
  const int64_t T = *std::ranges::max_element(pass.counts);
  std::vector<int32_t> tokens(static_cast<size_t>(B * T)), last;
  for (int64_t b = 0; b < B; ++b) std::ranges::copy(different[static_cast<size_t>(b)]->text, tokens.begin() + b * T);
  for (const int64_t b : of) last.push_back(static_cast<int32_t>(b * T + pass.counts[static_cast<size_t>(b)] - 1));
  pass.tokens = from_host(std::span<const int32_t>(tokens), {B, T});
  const Tensor hidden = model_.hidden(pass, &cache);
  if (different.size() < rows.size()) cache.keep(of);
  return {
      ops::gather(ops::reshape(hidden, {B * T, -1}), 0, from_host(std::span<const int32_t>(last), {std::ssize(rows)})),
      std::move(cache)};
}

Tensor Decoder::next_states(std::span<Row* const> rows, KeyValueCache& cache) const {
  const auto B = static_cast<int64_t>(rows.size());
  std::vector<int32_t> tokens;
  for (const Row* row : rows) tokens.push_back(row->text.back());
  const Pass pass{.tokens = from_host(std::span<const int32_t>(tokens), {B, 1}), .adapters = adapters_of(rows)};
  return ops::reshape(model_.hidden(pass, &cache), {B, -1});
}

// The last token may write more than the end of the text, as one for a full stop and a line break does.
bool Decoder::completes_a_stop(std::span<const int32_t> tokens) const {
  size_t longest = 0;
  for (const std::string& stop : sampling_.stop) longest = std::max(longest, stop.size());
  const std::span<const int32_t> last =
      tokens.last(std::min(tokens.size(), longest + 1));  // each writes a byte or more
  const std::string text = model_.tokenizer()->decode_on(last);
  const size_t before = model_.tokenizer()->decode_on(last.first(last.size() - 1)).size();
  return std::ranges::any_of(sampling_.stop, [&](const std::string& stop) {
    return !stop.empty() && text.find(stop, before - std::min(before, stop.size() - 1)) != std::string::npos;
  });
}

bool Decoder::ends(const Row& row) const {
  const auto& tokens = row.out.tokens;
  if (std::ranges::find(ends_, tokens.back()) != ends_.end()) return true;
  return !sampling_.stop.empty() && completes_a_stop(tokens);
}

Decoder::Likelihoods Decoder::likelihoods(const Tensor& hidden) const {
  const Tensor logits = model_.logits(hidden, sampling_.temperature > 0 ? sampling_.temperature : 1);
  if (words_ >= logits.size(1)) return {ops::log_softmax(logits, 1), {}};
  const Tensor words = ops::contiguous(ops::slice(logits, 1, 0, words_));
  const auto total = [](const Tensor& x) { return ops::reduce(RGM_LOGSUMEXP, 2, x, false); };
  return {ops::log_softmax(words, 1), total(words) - total(logits)};
}

// Random numbers of the rows: each of its prompt, its answer and the place in it, whatever is decoded beside it.
std::vector<int32_t> Decoder::draws(std::span<Row* const> rows) const {
  std::vector<int32_t> out;
  for (const Row* row : rows) {
    const auto position = static_cast<uint32_t>(row->out.tokens.size());
    const uint64_t word = mix(sampling_.seed, static_cast<uint64_t>(sampling_.first_prompt + row->out.origin),
                              static_cast<uint32_t>(row->answer), position);
    out.push_back(static_cast<int32_t>(word >> 32));
  }
  return out;
}

// On the device, where that is offered, so that one number a row comes back.
std::optional<ops::Drawn> Decoder::drawn(const Likelihoods& all, const Tensor& draws) const {
  const int64_t top_k = sampling_.temperature > 0 ? sampling_.top_k : 1;
  auto out = ops::sample(all.words, draws, top_k, sampling_.top_p, sampling_.min_p);
  if (out && all.share) out->logprobs = out->logprobs + all.share;
  return out;
}

// The next token of each row.
std::vector<NextToken> Decoder::choices(std::span<Row* const> rows, const Tensor& hidden) {
  const Likelihoods all = likelihoods(hidden);
  const std::vector<int32_t> random = draws(rows);
  if (const auto there = drawn(all, from_host(std::span<const int32_t>(random), {std::ssize(rows)}))) {
    draws_there_ = true;
    return fetched(*there);
  }
  std::vector<NextToken> out(rows.size());
  const auto values = to_host<float>(all.words), shares = all.share ? to_host<float>(all.share) : std::vector<float>();
  const size_t V = values.size() / rows.size();
  for (size_t b = 0; b < rows.size(); ++b) {
    const auto row = std::span(values).subspan(b * V, V);
    out[b].token = sample(row, sampling_, static_cast<uint32_t>(random[b]));
    out[b].logprob = row[static_cast<size_t>(out[b].token)] + (shares.empty() ? 0 : shares[b]);
  }
  return out;
}

// Where the same rows have gone on for a while and no adapter changes from row to row.
std::optional<std::vector<NextToken>> Decoder::steady_choices(std::span<Row* const> rows, KeyValueCache& cache) {
  if (!draws_there_ || by_row_ || cache.prefix > 0) return {};
  if (!std::ranges::equal(rows, steady_rows_)) {
    steady_.reset();
    steady_rows_.assign(rows.begin(), rows.end());
    same_rows_ = 0;
  }
  if (++same_rows_ <= steps_before_capture) return {};
  const auto B = std::ssize(rows);
  if (!steady_)
    steady_.emplace(model_, B,
                    [this](const Tensor& hidden, const Tensor& draws) { return drawn(likelihoods(hidden), draws); });
  std::vector<int32_t> tokens;
  for (const Row* row : rows) tokens.push_back(row->text.back());
  return steady_->run(tokens, draws(rows), cache);
}

// Adds a token; answers whether the row goes on.
bool Decoder::take(Row& row, const NextToken& choice) const {
  row.out.tokens.push_back(choice.token);
  row.out.logprobs.push_back(choice.logprob);
  row.text.push_back(choice.token);
  if (tap_) tap_(row.index, choice.token);
  row.out.finished = ends(row);
  return !row.out.finished && static_cast<int64_t>(row.out.tokens.size()) < sampling_.max_tokens;
}

void Decoder::run(std::vector<Row>& all) {
  const NoGradient no_gradient;
  const auto full = [&](const Row* row) { return std::ssize(row->text) >= room_; };
  std::vector<Row*> waiting, rows;
  for (Row& row : all) waiting.push_back(&row);
  if (waiting.empty() || sampling_.max_tokens == 0) return;
  const int64_t slots = capacity(waiting);
  size_t next = 0;
  std::optional<KeyValueCache> cache;
  Tensor hidden;
  std::optional<std::vector<NextToken>> ready;  // instead of `hidden`; never where rows have just left or come
  for (;;) {
    const size_t room = rows_at_once - rows.size(), fresh = std::min(room, waiting.size() - next);
    if (fresh > 0 && (rows.empty() || room >= rows_together)) {
      for (const std::span<Row* const> more : alike(std::span(waiting).subspan(next, fresh))) {
        auto [states, own] = read(more, slots);
        if (rows.empty())
          hidden = states, cache.emplace(std::move(own));
        else
          hidden = ops::concat(std::array{hidden, states}, 0), cache->append(own);
        rows.insert(rows.end(), more.begin(), more.end());
      }
      next += fresh;
    }
    if (rows.empty()) return;
    const std::vector<NextToken> chosen = ready ? std::move(*ready) : choices(rows, hidden);
    ready.reset();
    std::vector<int64_t> going;
    std::vector<Row*> kept;
    for (size_t b = 0; b < rows.size(); ++b) {
      if (!take(*rows[b], chosen[b]) || (!slide_ && full(rows[b]))) continue;
      going.push_back(static_cast<int64_t>(b));
      kept.push_back(rows[b]);
    }
    if (!kept.empty() && kept.size() < rows.size()) cache->keep(going);
    rows = std::move(kept);
    if (rows.empty()) continue;

    for (size_t b = 0; b < rows.size(); ++b)
      if (std::ssize(rows[b]->text) > room_) forget_half(*rows[b], static_cast<int64_t>(b), *cache);
    ready = steady_choices(rows, *cache);
    if (!ready) hidden = next_states(rows, *cache);
  }
}

// Reads the younger half of the row's text again, but for its last token, which is read with the other rows'.
void Decoder::forget_half(Row& row, int64_t b, KeyValueCache& cache) const {
  row.text.erase(row.text.begin(), row.text.end() - std::max<int64_t>(2, room_ / 2));
  KeyValueCache own(model_.config(), 1, cache.capacity(), model_.dtype());
  const std::vector<int32_t> text(row.text.begin(), row.text.end() - 1);
  Row* const one[] = {&row};
  const Pass pass{.tokens = from_host(std::span<const int32_t>(text), {1, static_cast<int64_t>(text.size())}),
                  .adapters = adapters_of(one)};
  model_.hidden(pass, &own);
  cache.replace(b, own);
}

// Numbers of answers that can be decoded side by side: all, or those with as many virtual tokens, an adapter's
// together.
std::vector<std::vector<int64_t>> side_by_side(const Model& model, std::span<const int32_t> adapters, int64_t prompts,
                                               int64_t answers) {
  std::map<std::pair<VirtualTokens, int32_t>, std::vector<int64_t>> sorted;
  std::map<int32_t, VirtualTokens> fronts;
  for (int64_t i = 0; i < prompts * answers; ++i) {
    const int32_t adapter = adapters.empty() ? no_adapter : adapters[static_cast<size_t>(i / answers)];
    const auto found = fronts.find(adapter);
    const VirtualTokens front =
        found != fronts.end() ? found->second
                              : fronts[adapter] = model.front(adapters.empty() ? adapters : std::span(&adapter, 1));
    sorted[{front, adapter}].push_back(i);
  }
  std::vector<std::vector<int64_t>> out;
  std::optional<VirtualTokens> before;
  for (const auto& [key, numbers] : sorted) {
    if (before != key.first) out.emplace_back();
    before = key.first;
    out.back().insert(out.back().end(), numbers.begin(), numbers.end());
  }
  return out;
}

}  // namespace

std::vector<Generated> generate(const Model& model, const std::vector<std::vector<int32_t>>& prompts,
                                const Sampling& sampling, bool slide,
                                const std::function<void(int64_t answer, int32_t token)>& tap,
                                std::span<const int32_t> adapters) {
  require_text(model, "generate");
  require(sampling.answers >= 0 && sampling.max_tokens >= 0, "{} answers of {} tokens", sampling.answers,
          sampling.max_tokens);
  require(adapters.empty() || adapters.size() == prompts.size(), "{} adapters for {} prompts", adapters.size(),
          prompts.size());
  const auto total = static_cast<int64_t>(prompts.size()) * sampling.answers;
  std::vector<Generated> out(static_cast<size_t>(total));
  for (const auto& numbers : side_by_side(model, adapters, static_cast<int64_t>(prompts.size()), sampling.answers)) {
    const auto prompt_of = [&](int64_t answer) { return static_cast<size_t>(answer / sampling.answers); };
    const int32_t first = adapters.empty() ? no_adapter : adapters[prompt_of(numbers[0])];
    Decoder decoder(model, sampling, slide, tap, adapters.empty() ? adapters : std::span(&first, 1));
    std::vector<Row> rows;
    for (const int64_t index : numbers) {  // the answers to a prompt follow each other
      const size_t p = prompt_of(index);
      const bool is_next_answer = !rows.empty() && prompt_of(rows.back().index) == p;
      std::vector<int32_t> text = is_next_answer ? rows.back().text : decoder.fitted(prompts[p], p);
      Row& row = rows.emplace_back();
      row.index = index;
      row.answer = index % sampling.answers;
      row.out.origin = index / sampling.answers;
      row.text = std::move(text);
      if (!adapters.empty()) row.adapter = adapters[p];
    }
    decoder.run(rows);
    for (Row& row : rows) out[static_cast<size_t>(row.index)] = std::move(row.out);
  }
  return out;
}

}  // namespace rgm
