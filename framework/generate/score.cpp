#include "generate/score.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {

constexpr int64_t tokens_at_once = 4096, examples_at_once = 64;

struct Window {
  int64_t row, begin;  // of its first token, which the window before it scores, or else a prompt or nobody
  std::span<const int32_t> ids;
  std::span<const float> weights;  // empty: all are scored
  int32_t adapter;
  std::vector<ScoredToken> scored = {};

  bool counts(int64_t at) const { return weights.empty() || weights[static_cast<size_t>(at)] != 0; }
};

class TextScorer {
 public:
  // `by_row`: windows name their adapters.
  TextScorer(const Model& model, bool by_row, const std::function<void(const ScoredToken&)>& see)
      : model_(model), by_row_(by_row), see_(see) {}

  // Tokens of a row that are read at once, and the one behind them.
  int64_t longest(int32_t adapter) {
    const auto found = longest_.find(adapter);
    if (found != longest_.end()) return found->second;
    const VirtualTokens front = model_.front(by_row_ ? std::span(&adapter, 1) : std::span<const int32_t>());
    fronts_[adapter] = front;
    return longest_[adapter] = model_.config().context - front.count() + 1;
  }
  // The first token of a row is predicted where a prompt stands in front of it.
  int64_t first_scored(const Window& w) const { return w.begin == 0 && fronts_.at(w.adapter).prompt > 0 ? 0 : 1; }
  void add(Window window) {
    bool counts = false;
    for (int64_t t = first_scored(window); t < std::ssize(window.ids) && !counts; ++t) counts = window.counts(t);
    if (!counts) return;
    tokens_ += static_cast<int64_t>(window.ids.size());
    windows_.push_back(std::move(window));
    if (tokens_ >= tokens_at_once) run();
  }
  Score finish() {
    run();
    return score_;
  }

 private:
  // Examples of one adapter share rows; rows with as many virtual tokens share a pass.
  void run() {
    std::map<VirtualTokens, std::map<int32_t, std::vector<Window*>>> passes;
    for (Window& w : windows_) passes[fronts_[w.adapter]][w.adapter].push_back(&w);
    for (const auto& [front, by_adapter] : passes) score(by_adapter);
    for (const Window& w : windows_)
      for (const ScoredToken& t : w.scored) take(t);
    windows_.clear();
    tokens_ = 0;
  }

  void score(const std::map<int32_t, std::vector<Window*>>& by_adapter) {
    std::vector<BatchColumn> packs;
    std::vector<int32_t> adapters;
    int64_t rows = 0, length = 0;
    for (const auto& [adapter, windows] : by_adapter) {
      std::vector<TokenExample> examples;
      for (const Window* w : windows)
        examples.push_back({{w->ids.begin(), w->ids.end()}, std::vector<float>(w->ids.size(), 1.0F)});
      const BatchColumn& packed = packs.emplace_back(pack(examples, longest(adapter)));
      rows += packed.rows;
      length = std::max(length, packed.length);
      if (by_row_) adapters.insert(adapters.end(), static_cast<size_t>(packed.rows), adapter);
    }
    std::vector<int32_t> tokens(static_cast<size_t>(rows * length)), segments(tokens);
    int64_t row = 0;
    for (const BatchColumn& packed : packs)
      for (int64_t r = 0; r < packed.rows; ++r, ++row) {
        std::copy_n(packed.integers.begin() + r * packed.length, packed.length, tokens.begin() + row * length);
        std::copy_n(packed.segments.begin() + r * packed.length, packed.length, segments.begin() + row * length);
      }
    const Shape shape{rows, length};
    const Pass pass{.tokens = from_host(std::span<const int32_t>(tokens), shape),
                    .segments = from_host(std::span<const int32_t>(segments), shape),
                    .adapters = adapters};
    const auto [logprobs, likeliest] = model_.predictions(pass);
    const auto p = to_host<float>(logprobs);
    const auto best = to_host<int32_t>(likeliest);
    row = 0;
    size_t of = 0;
    for (const auto& [adapter, windows] : by_adapter) {
      const BatchColumn& packed = packs[of++];
      for (size_t i = 0; i < windows.size(); ++i) {
        Window& w = *windows[i];
        const auto n = static_cast<int64_t>(w.ids.size());
        const int64_t end = (row + packed.ends[i] / packed.length) * length + packed.ends[i] % packed.length;
        for (int64_t t = first_scored(w); t < n; ++t) {
          if (!w.counts(t)) continue;
          const auto at = static_cast<size_t>(end + 1 - n + t);
          const int32_t token = w.ids[static_cast<size_t>(t)];
          w.scored.push_back({w.row, w.begin + t, token, p[at], best[at] == token});
        }
      }
      row += packed.rows;
    }
  }

  void take(const ScoredToken& token) {
    score_.add(token.logprob, token.likeliest);
    if (see_) see_(token);
  }

  const Model& model_;
  bool by_row_;
  const std::function<void(const ScoredToken&)>& see_;
  std::map<int32_t, int64_t> longest_;
  std::map<int32_t, VirtualTokens> fronts_;
  std::vector<Window> windows_;
  int64_t tokens_ = 0;
  Score score_;
};

double log_sum_exp(std::span<const float> x) {
  const double largest = *std::ranges::max_element(x);
  double sum = 0;
  for (const float one : x) sum += std::exp(one - largest);
  return std::log(sum) + largest;
}

void add_label(std::span<const float> outputs, size_t label, Score& out) {
  const bool likeliest = std::ranges::max_element(outputs) - outputs.begin() == static_cast<std::ptrdiff_t>(label);
  out.add(outputs[label] - log_sum_exp(outputs), likeliest);
}

}  // namespace

Score score_texts(const Model& model, std::span<const TokenExample> rows,
                  const std::function<void(const ScoredToken&)>& see, std::span<const int32_t> adapters) {
  const NoGradient still;
  TextScorer scorer(model, !adapters.empty(), see);
  int64_t windowed = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    const std::span<const int32_t> ids = rows[row].ids;
    const std::span<const float> weights = rows[row].weights;
    const auto n = static_cast<int64_t>(ids.size());
    const int32_t adapter = adapters.empty() ? no_adapter : adapters[row];
    const int64_t longest = scorer.longest(adapter);
    require(longest > 1, "{} virtual tokens leave no room in the model's context of {}",
            model.config().context - longest + 1, model.config().context);
    windowed += n > longest;
    for (int64_t begin = 0; begin == 0 || begin + 1 < n; begin += longest - 1) {
      const auto from = static_cast<size_t>(begin), count = static_cast<size_t>(std::min(n - begin, longest));
      scorer.add({.row = static_cast<int64_t>(row),
                  .begin = begin,
                  .ids = ids.subspan(from, count),
                  .weights = weights.empty() ? weights : weights.subspan(from, count),
                  .adapter = adapter});
    }
  }
  Score out = scorer.finish();
  out.rows = static_cast<int64_t>(rows.size());
  out.windowed = windowed;
  return out;
}

Score score_examples(const Model& model, const Source& source, const std::function<void(const ScoredExample&)>& see) {
  const NoGradient still;
  const auto outputs = static_cast<size_t>(model.config().outputs);
  Score out;
  for (int64_t begin = 0; begin < source.units(); begin += examples_at_once) {
    Batch batch = source.in_order(begin, std::min(source.units(), begin + examples_at_once));
    const Pass pass{.tokens = column(batch, "text"), .segments = column(batch, "text.segments")};
    const auto scores = to_host<float>(model.forward(pass, RGM_HEAD)[0]);
    const BatchColumn& text = batch.columns.at("text");
    const auto truth = batch.columns.find(outputs > 1 ? "label" : "value");
    for (size_t e = 0; e < text.ends.size(); ++e, ++out.rows) {
      ScoredExample example{std::span(scores).subspan(static_cast<size_t>(text.ends[e]) * outputs, outputs),
                            std::nullopt};
      if (truth != batch.columns.end() && outputs > 1) {
        example.truth = truth->second.integers[e];
        add_label(example.outputs, static_cast<size_t>(truth->second.integers[e]), out);
      } else if (truth != batch.columns.end()) {
        example.truth = truth->second.reals[e];
        out.loss += std::pow(example.outputs[0] - truth->second.reals[e], 2);
        ++out.count;
      }
      if (see) see(example);
    }
  }
  return out;
}

std::vector<double> probabilities(std::span<const float> outputs) {
  const double all = log_sum_exp(outputs);
  std::vector<double> out;
  out.reserve(outputs.size());
  for (const float one : outputs) out.push_back(std::exp(one - all));
  return out;
}

}  // namespace rgm
