// best_of_n.cpp - of n answers to each prompt the one that the rewards score highest (arXiv 2112.09332), as rows:
// `prompt`, `text`, `finished`, `score`. A `finetune` stage that learns from these rows is rejection sampling (arXiv
// 2307.09288). What is chosen is at most log n - (n - 1) / n nats from what is drawn (arXiv 2009.01325), which is told
// as `kl_at_most`. Answers that cannot be scored are passed over.
#include <cmath>
#include <regimen/regimen.hpp>
using namespace regimen;

struct BestOfNOptions : Sampling {
  int64_t n = 4;

  static constexpr auto list =
      options(option("n", &BestOfNOptions::n, "answers to choose from").range(1, 1024), Part::max_tokens,
              Part::temperature, Part::by_probability, Part::repetition_penalty, Part::stop);
};

class BestOfN {
 public:
  using Options = BestOfNOptions;
  static constexpr rgm_column columns[] = {column::tokens("prompt")};

  explicit BestOfN(const Options& o) : o_(o) { o.check("best_of_n"); }

  Plan plan() const { return {.needs_reward = true, .answer_tokens = o_.max_tokens}; }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch all = o_.generate(train, train.model("policy"), prompts, o_.n);
    const Tensor score = train.score(all);
    const std::vector<float> scores = read(score);
    const Batch best = train.batch();
    const std::vector<int32_t> finished = read<int32_t>(all.column("finished"));
    std::vector<float> chosen;
    std::vector<int32_t> ended;
    for (const auto& [prompt, answers] : groups_of(read<int32_t>(all.column("origin")), scores)) {
      size_t top = answers[0];
      for (const size_t e : answers)
        if (scores[e] > scores[top]) top = e;
      const auto row = int64_t(chosen.size());
      best.set("prompt", row, all.text("prompt", int64_t(top)));
      best.set("text", row, all.text("text", int64_t(top)));
      chosen.push_back(scores[top]);
      ended.push_back(finished[top]);
    }
    const auto n = double(o_.n);
    train.report("kl_at_most", std::to_string(std::log(n) - (n - 1) / n));
    train.metric_of_scores("score_of_all", score);
    if (chosen.empty()) return {best};
    const Tensor top = write(chosen, {int64_t(chosen.size())});
    train.metric_of_scores("score", top);
    best.set("score", top);
    best.set("finished", write(ended, {int64_t(ended.size())}));
    return {best};
  }

 private:
  Options o_;
};

constexpr rgm_component best_of_n = strategy<BestOfN>("best_of_n", "1.0.0", "The best of n answers, as rows");
RGM_PLUGIN("best_of_n", "1.0.0", "", &best_of_n);
