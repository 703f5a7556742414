#include "generate/score.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {

constexpr int64_t tokens_at_once = 4096, examples_at_once = 64;

struct Window {
  int64_t row, begin;  // of its first token, which is scored in the window before it
  std::vector<int32_t> ids;
};

class TextScorer {
 public:
  TextScorer(const Model& model, int64_t longest, const std::function<void(const ScoredToken&)>& see)
      : model_(model), longest_(longest), see_(see) {}

  void add(Window window) {
    tokens_ += static_cast<int64_t>(window.ids.size());
    windows_.push_back(std::move(window));
    if (tokens_ >= tokens_at_once) run();
  }
  Score finish() {
    run();
    return score_;
  }

 private:
  void run() {
    if (windows_.empty()) return;
    std::vector<TokenExample> examples;
    for (const Window& w : windows_) examples.push_back({w.ids, std::vector<float>(w.ids.size(), 1.0F)});
    const BatchColumn packed = pack(examples, longest_);
    const Shape shape{packed.rows, packed.length};
    const Pass pass{.tokens = from_host(packed.integers, shape), .segments = from_host(packed.segments, shape)};
    const auto [logprobs, likeliest] = model_.predictions(pass);
    const auto p = to_host<float>(logprobs);
    const auto best = to_host<int32_t>(likeliest);
    for (size_t i = 0; i < windows_.size(); ++i) {
      const auto n = static_cast<int64_t>(windows_[i].ids.size());
      for (int64_t t = 1; t < n; ++t) take(windows_[i], t, static_cast<size_t>(packed.ends[i] + 1 - n + t), p, best);
    }
    windows_.clear();
    tokens_ = 0;
  }

  void take(const Window& window, int64_t t, size_t at, const std::vector<float>& p, const std::vector<int32_t>& best) {
    const int32_t token = window.ids[static_cast<size_t>(t)];
    const bool right = best[at] == token;
    score_.loss -= p[at];
    ++score_.count;
    score_.right += right;
    if (see_) see_({window.row, window.begin + t, token, p[at], right});
  }

  const Model& model_;
  int64_t longest_;
  const std::function<void(const ScoredToken&)>& see_;
  std::vector<Window> windows_;
  int64_t tokens_ = 0;
  Score score_;
};

// -log softmax(scores)[label], and whether it is the largest.
void add_label(std::span<const float> scores, int32_t label, Score& out) {
  const float largest = *std::ranges::max_element(scores);
  double sum = 0;
  for (const float s : scores) sum += std::exp(double(s) - largest);
  out.loss += std::log(sum) + largest - scores[static_cast<size_t>(label)];
  out.right += std::ranges::max_element(scores) - scores.begin() == label;
}

}  // namespace

Score score_texts(const Model& model, const std::vector<std::vector<int32_t>>& rows,
                  const std::function<void(const ScoredToken&)>& see) {
  const NoGradient still;
  const int64_t longest = model.config().context - model.virtual_tokens() + 1;
  TextScorer scorer(model, longest, see);
  int64_t windowed = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    const std::vector<int32_t>& ids = rows[row];
    const auto n = static_cast<int64_t>(ids.size());
    windowed += n > longest;
    for (int64_t begin = 0; begin + 1 < n; begin += longest - 1)
      scorer.add({static_cast<int64_t>(row), begin, {ids.begin() + begin, ids.begin() + std::min(n, begin + longest)}});
  }
  Score out = scorer.finish();
  out.rows = static_cast<int64_t>(rows.size());
  out.windowed = windowed;
  return out;
}

Score score_examples(const Model& model, const Source& source) {
  const NoGradient still;
  const auto outputs = static_cast<size_t>(model.config().outputs);
  const std::string wanted = outputs > 1 ? "label" : "value";
  Score out;
  for (int64_t begin = 0; begin < source.units(); begin += examples_at_once) {
    Batch batch = source.in_order(begin, std::min(source.units(), begin + examples_at_once));
    require(has_column(batch, wanted), "the model's head wants a column \"{}\", and the data has none", wanted);
    const Pass pass{.tokens = column(batch, "text"), .segments = column(batch, "text.segments")};
    const auto scores = to_host<float>(model.forward(pass, RGM_HEAD)[0]);
    const BatchColumn &text = batch.columns.at("text"), &truth = batch.columns.at(wanted);
    for (size_t e = 0; e < text.ends.size(); ++e) {
      const auto own = std::span(scores).subspan(static_cast<size_t>(text.ends[e]) * outputs, outputs);
      if (outputs > 1)
        add_label(own, truth.integers[e], out);
      else
        out.loss += std::pow(own[0] - truth.reals[e], 2);
      ++out.count;
    }
  }
  out.rows = out.count;
  return out;
}

}  // namespace rgm
