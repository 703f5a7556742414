// rank.cpp - orders the answers to each prompt. `ask: reward` asks the stage's rewards, and `rater` says `simulated`:
// no person ranked them. Answers whose scores are within `tie` of the one before them have its rank. Rows are
//   answers   each answer with `group`, `rank` (1 the best; equal ranks are ties), `score`, `rater`, and `desirable`: 1
//             where it scored above the mean of its prompt's answers. For `ranking` and `kto`
//   pairs     the best and the last answer of each prompt as `prompt`, `chosen`, `rejected`, `rater`, but of prompts
//   whose
//             answers all tie. For `dpo`, `orpo` and `pairwise`
#include <algorithm>
#include <map>
#include <regimen/regimen.hpp>
using namespace regimen;

struct RankOptions {
  static constexpr const char* whom[] = {"reward", nullptr};
  static constexpr const char* forms[] = {"answers", "pairs", nullptr};

  std::string_view ask = "reward", rows = "answers", rater = "simulated";
  double tie = 0;

  using O = RankOptions;
  static constexpr auto list = options(option("ask", &O::ask, "who orders the answers").choices(whom),
                                       option("rows", &O::rows, "what is written").choices(forms),
                                       option("rater", &O::rater, "name of the one who ranked, in every row"),
                                       option("tie", &O::tie, "scores as close as this are a tie").range(0, 1e6));
};

class Rank {
 public:
  using Options = RankOptions;
  static constexpr rgm_column columns[] = {column::tokens("completion"), column::text("prompt", RGM_TOGETHER),
                                           column::text("text")};

  explicit Rank(const Options& o) : o_(o) {}

  Experience rollout(const Train& train, const Batch& batch) const {
    const std::vector<float> scores = read(train.score(batch));
    Prompts prompts;
    for (size_t e = 0; e < scores.size(); ++e) {
      require(scores[e] == scores[e], "rank: an answer cannot be scored, so it has no rank");
      prompts[batch.text("prompt", int64_t(e))].push_back(e);
    }
    for (auto& [prompt, order] : prompts)
      std::ranges::sort(order,
                        [&](size_t a, size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
    return {o_.rows == "pairs" ? pairs(train, batch, scores, prompts) : answers(batch, scores, prompts)};
  }

 private:
  using Prompts = std::map<std::string_view, std::vector<size_t>>;  // the places of each one's answers, best first

  Batch answers(const Batch& batch, const std::vector<float>& scores, const Prompts& prompts) const {
    std::vector<float> ranks(scores.size()), groups(scores.size()), desirable(scores.size());
    for (const auto& [prompt, order] : prompts) {
      double mean = 0;
      for (const size_t e : order) mean += double(scores[e]) / double(order.size());
      for (size_t i = 0; i < order.size(); ++i) {
        const size_t e = order[i];
        const bool tied = i > 0 && double(scores[order[i - 1]]) - double(scores[e]) <= o_.tie;
        ranks[e] = tied ? ranks[order[i - 1]] : float(i + 1);
        groups[e] = name(prompt);
        desirable[e] = double(scores[e]) > mean;
      }
    }
    const auto count = int64_t(scores.size());
    for (const auto& [key, values] : {std::pair{"rank", &ranks}, {"group", &groups}, {"desirable", &desirable}})
      batch.set(key, cast(write(*values, {count}), RGM_I32));
    batch.set("score", write(scores, {count}));
    for (int64_t e = 0; e < count; ++e) batch.set("rater", e, o_.rater);
    return batch;
  }

  Batch pairs(const Train& train, const Batch& batch, const std::vector<float>& scores, const Prompts& prompts) const {
    const Batch out = train.batch();
    int64_t row = 0;
    for (const auto& [prompt, order] : prompts) {
      if (double(scores[order.front()]) - double(scores[order.back()]) <= o_.tie) continue;
      out.set("prompt", row, prompt);
      out.set("chosen", row, batch.text("text", int64_t(order.front())));
      out.set("rejected", row, batch.text("text", int64_t(order.back())));
      out.set("rater", row++, o_.rater);
    }
    return out;
  }

  // A number for the prompt that is the same in every batch (FNV-1a), of 24 bits: as many as a float holds.
  static float name(std::string_view text) {
    uint32_t hash = 2166136261U;
    for (const char c : text) hash = (hash ^ uint8_t(c)) * 16777619U;
    return float((hash ^ (hash >> 24)) & 0xFFFFFF);
  }

  Options o_;
};

constexpr rgm_component rank = strategy<Rank>("rank", "1.0.0", "Orders the answers to each prompt, as rows");
RGM_PLUGIN("rank", "1.0.0", "", &rank);
