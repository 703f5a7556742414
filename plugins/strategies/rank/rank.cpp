// rank.cpp - orders the answers to each prompt, as rows with `group`, `rank` (1 the best; equal ranks are ties),
// `score` and `rater`. `ask: reward` asks the stage's rewards, and `rater` says `simulated`: no person ranked them.
// Answers whose scores are within `tie` of the one before them have its rank.
#include <algorithm>
#include <map>
#include <regimen/regimen.hpp>
using namespace regimen;

struct RankOptions {
  static constexpr const char* whom[] = {"reward", nullptr};

  std::string_view ask = "reward", rater = "simulated";
  double tie = 0;

  using O = RankOptions;
  static constexpr auto list = options(option("ask", &O::ask, "who orders the answers").choices(whom),
                                       option("rater", &O::rater, "name of the one who ranked, in every row"),
                                       option("tie", &O::tie, "scores as close as this are a tie").range(0, 1e6));
};

class Rank {
 public:
  using Options = RankOptions;
  static constexpr rgm_column columns[] = {column::tokens("completion"), column::text("prompt", RGM_TOGETHER),
                                           column::text("text", RGM_OPTIONAL)};

  explicit Rank(const Options& o) : o_(o) {}

  Experience rollout(const Train& train, const Batch& batch) const {
    const std::vector<float> scores = read(train.score(batch));
    std::map<std::string_view, std::vector<size_t>> prompts;
    for (size_t e = 0; e < scores.size(); ++e) {
      require(scores[e] == scores[e], "rank: an answer cannot be scored, so it has no rank");
      prompts[batch.text("prompt", int64_t(e))].push_back(e);
    }
    std::vector<float> ranks(scores.size()), groups(scores.size());
    for (auto& [prompt, answers] : prompts) {
      std::ranges::sort(answers,
                        [&](size_t a, size_t b) { return scores[a] > scores[b] || (scores[a] == scores[b] && a < b); });
      for (size_t i = 0; i < answers.size(); ++i) {
        const bool tied = i > 0 && double(scores[answers[i - 1]]) - double(scores[answers[i]]) <= o_.tie;
        ranks[answers[i]] = tied ? ranks[answers[i - 1]] : float(i + 1);
        groups[answers[i]] = name(prompt);
      }
    }
    const auto count = int64_t(scores.size());
    batch.set("rank", cast(write(ranks, {count}), RGM_I32));
    batch.set("group", cast(write(groups, {count}), RGM_I32));
    batch.set("score", write(scores, {count}));
    for (int64_t e = 0; e < count; ++e) batch.set("rater", e, o_.rater);
    return {batch};
  }

 private:
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
