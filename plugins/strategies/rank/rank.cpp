// rank.cpp - orders the answers to each prompt. `ask: web` waits for a person, who orders them on a page, ties and
// skips included. `ask: reward` asks the stage's rewards, and `rater` says `simulated`: no person ranked them; answers
// whose scores are within `tie` of the one before them have its rank. `finished` of the samples goes on with the rows,
// of pairs as `chosen.finished` and `rejected.finished`. Rows are
//   answers   each answer with `group`, `rank` (1 the best; equal ranks are ties), `rater`, `desirable` (1 and 0 where
//             it is better and worse than the mean of its prompt's answers, -1 where it ties with that, which is no
//             opinion), and `score`, where there is one. For `ranking` and `kto`
//   pairs     the best and the last answer of each prompt as `prompt`, `chosen`, `rejected`, `rater`; none of a prompt
//             whose answers all tie. For `dpo`, `simpo`, `orpo` and `pairwise`
#include <algorithm>
#include <cmath>
#include <map>
#include <regimen/regimen.hpp>
using namespace regimen;

struct RankOptions {
  static constexpr const char* whom[] = {"reward", "web", nullptr};
  static constexpr const char* forms[] = {"answers", "pairs", nullptr};

  std::string_view ask = "reward", rows = "answers", rater = "simulated";
  double tie = 0;

  using O = RankOptions;
  static constexpr auto list =
      options(option("ask", &O::ask, "who orders the answers").choices(whom),
              option("rows", &O::rows, "what the rows are").choices(forms),
              option("rater", &O::rater, "name of the rater, written in every row"),
              option("tie", &O::tie, "scores this close are a tie; people say so themselves").range(0, 1e6));
};

class Rank {
 public:
  using Options = RankOptions;
  static constexpr rgm_column columns[] = {column::tokens("completion", RGM_WHOLE),
                                           column::text("prompt", RGM_TOGETHER), column::text("text"),
                                           column::integer("finished", RGM_OPTIONAL)};

  explicit Rank(const Options& o) : o_(o), tie_(o.ask == "reward" ? o.tie : 0) {}

  Plan plan() const { return {.needs_reward = o_.ask == "reward"}; }

  Experience rollout(const Train& train, const Batch& batch) const {
    const std::vector<float> scores = o_.ask == "web" ? std::vector<float>() : read<float>(train.score(batch));
    std::vector<Answer> answers;
    std::string_view rater = o_.rater;
    if (o_.ask == "web") {
      const auto [ranks, who] = train.ask_person(batch);
      rater = who;
      for (const int32_t rank : read<int32_t>(ranks)) answers.push_back({-float(rank), rank});
    } else {
      for (const float score : scores) {
        require(score == score, "rank: an answer cannot be scored, so it has no rank");
        answers.push_back({score, 0});
      }
    }
    Prompts prompts;
    for (size_t e = 0; e < answers.size(); ++e)
      if (o_.ask == "reward" || answers[e].rank > 0) prompts[batch.text("prompt", int64_t(e))].push_back(e);
    for (auto& [prompt, order] : prompts) {
      std::ranges::sort(order, [&](size_t a, size_t b) {
        return answers[a].worth != answers[b].worth ? answers[a].worth > answers[b].worth : a < b;
      });
      for (size_t i = 0; i < order.size(); ++i) {
        const bool tied = i > 0 && double(answers[order[i - 1]].worth) - double(answers[order[i]].worth) <= tie_;
        answers[order[i]].rank = tied ? answers[order[i - 1]].rank : int32_t(i + 1);
      }
    }
    return {o_.rows == "pairs" ? pairs(train, batch, answers, prompts, rater)
                               : ranked(train, batch, answers, prompts, rater, scores)};
  }

 private:
  struct Answer {
    float worth;   // the more the better
    int32_t rank;  // 1 the best
  };
  using Prompts = std::map<std::string_view, std::vector<size_t>>;  // the places of each one's answers, best first

  Batch ranked(const Train& train, const Batch& batch, const std::vector<Answer>& answers, const Prompts& prompts,
               std::string_view rater, const std::vector<float>& scores) const {
    std::vector<int32_t> ranks(answers.size()), groups(answers.size()), desirable(answers.size());
    size_t count = 0;
    for (const auto& [prompt, order] : prompts) {
      double mean = 0;
      for (const size_t e : order) mean += double(answers[e].worth);
      mean /= double(order.size());
      for (const size_t e : order) {
        const double above = double(answers[e].worth) - mean;
        ranks[e] = answers[e].rank;
        groups[e] = name(prompt);
        desirable[e] = std::abs(above) <= tie_ ? -1 : above > 0;
      }
      count += order.size();
    }
    if (count == answers.size()) return with(batch, ranks, groups, desirable, rater, scores);
    // A person skipped some.
    const Batch out = train.batch();
    std::vector<int32_t> finished = finished_of(batch);
    size_t row = 0;
    for (size_t e = 0; e < answers.size(); ++e) {
      if (ranks[e] == 0) continue;
      out.set("prompt", int64_t(row), batch.text("prompt", int64_t(e)));
      out.set("text", int64_t(row), batch.text("text", int64_t(e)));
      // As the host writes it where nothing was skipped: the rows of one file have the same columns.
      out.set("completion", int64_t(row),
              std::string(batch.text("prompt", int64_t(e))) + std::string(batch.text("text", int64_t(e))));
      if (!finished.empty()) finished[row] = finished[e];
      ranks[row] = ranks[e], groups[row] = groups[e], desirable[row++] = desirable[e];
    }
    for (auto* values : {&ranks, &groups, &desirable}) values->resize(row);
    if (row == 0) return out;
    if (!finished.empty()) {
      finished.resize(row);
      out.set("finished", write(finished, {int64_t(row)}));
    }
    return with(out, ranks, groups, desirable, rater, {});
  }

  static Batch with(const Batch& batch, const std::vector<int32_t>& ranks, const std::vector<int32_t>& groups,
                    const std::vector<int32_t>& desirable, std::string_view rater, const std::vector<float>& scores) {
    const auto count = int64_t(ranks.size());
    for (const auto& [key, values] : {std::pair{"rank", &ranks}, {"group", &groups}, {"desirable", &desirable}})
      batch.set(key, write(*values, {count}));
    if (!scores.empty()) batch.set("score", write(scores, {count}));
    for (int64_t e = 0; e < count; ++e) batch.set("rater", e, rater);
    return batch;
  }

  Batch pairs(const Train& train, const Batch& batch, const std::vector<Answer>& answers, const Prompts& prompts,
              std::string_view rater) const {
    const Batch out = train.batch();
    const std::vector<int32_t> finished = finished_of(batch);
    std::vector<int32_t> best, last;
    int64_t row = 0;
    for (const auto& [prompt, order] : prompts) {
      if (answers[order.front()].rank == answers[order.back()].rank) continue;
      out.set("prompt", row, prompt);
      out.set("chosen", row, batch.text("text", int64_t(order.front())));
      out.set("rejected", row, batch.text("text", int64_t(order.back())));
      out.set("rater", row++, rater);
      if (finished.empty()) continue;
      best.push_back(finished[order.front()]);
      last.push_back(finished[order.back()]);
    }
    if (best.empty()) return out;
    out.set("chosen.finished", write(best, {row}));
    out.set("rejected.finished", write(last, {row}));
    return out;
  }

  static std::vector<int32_t> finished_of(const Batch& batch) {
    const auto finished = batch.find("finished");
    return finished ? read<int32_t>(*finished) : std::vector<int32_t>();
  }

  // A number for the prompt that is the same in every batch (FNV-1a), of 31 bits.
  static int32_t name(std::string_view text) {
    uint64_t hash = 14695981039346656037U;
    for (const char c : text) hash = (hash ^ uint8_t(c)) * 1099511628211U;
    return int32_t((hash ^ (hash >> 32)) & 0x7FFFFFFF);
  }

  Options o_;
  double tie_;
};

constexpr rgm_component rank = strategy<Rank>("rank", "1.0.0", "Orders the answers to each prompt, as rows");
RGM_PLUGIN("rank", "1.0.0", "", &rank);
