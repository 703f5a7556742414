// best_of_n.cpp - of n answers to each prompt the one that the rewards score highest (arXiv 2112.09332), as rows:
// `prompt`, `text`, `finished`, `score`. A `finetune` stage that learns from these rows is rejection sampling (arXiv
// 2307.09288). What is chosen is at most log n - (n - 1) / n nats from the model (arXiv 2009.01325), which is told as
// `kl_at_most`. Answers that cannot be scored are passed over.
#include <cmath>
#include <regimen/regimen.hpp>
using namespace regimen;

struct BestOfNOptions {
  int64_t n = 4, max_tokens = 64;
  double temperature = 1, top_p = 1;
  std::span<const rgm_str> stop;

  using O = BestOfNOptions;
  static constexpr auto list = options(
      option("n", &O::n, "answers to choose from").range(1, 1024),
      option("max_tokens", &O::max_tokens, "longest answer, in tokens").at_least(1),
      option("temperature", &O::temperature, "temperature of sampling").range(0.01, 10),
      option("top_p", &O::top_p, "draws from the likeliest tokens with this share of probability").range(0.01, 1),
      option("stop", &O::stop, "texts that end an answer, and stay in it"));
};

class BestOfN {
 public:
  using Options = BestOfNOptions;
  static constexpr rgm_column columns[] = {column::tokens("prompt")};

  explicit BestOfN(const Options& o) : o_(o) {
    for (const rgm_str& text : o.stop)
      require(text.size > 0, "best_of_n: stop has an empty text, which ends nothing: leave it out");
  }

  Plan plan() const { return {.needs_reward = true, .answer_tokens = o_.max_tokens}; }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch all =
        train.generate(train.model("policy"), prompts,
                       {attr("answers", o_.n), attr("max_tokens", o_.max_tokens), attr("temperature", o_.temperature),
                        attr("top_p", o_.top_p), attr("stop", o_.stop)});
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
