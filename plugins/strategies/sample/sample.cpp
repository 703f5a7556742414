// sample.cpp - answers to every prompt, as rows: `prompt`, `text` (the answer), `finished` (1: it ended by itself),
// `logprob` (of the answer, under temperature, before top_k and top_p), and `completion` with `completion.logprobs`,
// one number for each of its tokens, 0 for those of the prompt. With `score: true` the stage's rewards are asked too.
#include <regimen/regimen.hpp>
using namespace regimen;

struct SampleOptions {
  int64_t answers = 4, max_tokens = 64, top_k = 0;
  double temperature = 1, top_p = 1;
  std::span<const rgm_str> stop;
  bool score = false;

  using O = SampleOptions;
  static constexpr auto list = options(
      option("answers", &O::answers, "answers to each prompt").range(1, 1024),
      option("max_tokens", &O::max_tokens, "longest answer, in tokens").at_least(1),
      option("temperature", &O::temperature, "0 takes the likeliest token").range(0, 10),
      option("top_k", &O::top_k, "how many of the likeliest tokens may be drawn; 0: all").at_least(0),
      option("top_p", &O::top_p, "draws from the likeliest tokens with this share of probability").range(0.01, 1),
      option("stop", &O::stop, "texts that end an answer, and stay in it"),
      option("score", &O::score, "asks the stage's rewards about every answer"));
};

class Sample {
 public:
  using Options = SampleOptions;
  static constexpr rgm_column columns[] = {column::tokens("prompt")};

  explicit Sample(const Options& o) : o_(o) {
    for (const rgm_str& text : o.stop)
      require(text.size > 0, "sample: stop has an empty text, which ends nothing: leave it out");
  }

  Plan plan() const { return {.needs_reward = o_.score, .answer_tokens = o_.max_tokens}; }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch batch = train.generate(
        train.model("policy"), prompts,
        {attr("answers", o_.answers), attr("max_tokens", o_.max_tokens), attr("temperature", o_.temperature),
         attr("top_k", o_.top_k), attr("top_p", o_.top_p), attr("stop", o_.stop)});
    const Tokens answers = batch.tokens("completion");
    batch.set("logprob", answers.sum_each(batch.column("completion.logprobs")));
    train.metric("length", answers.sum_each(answers.weights));
    train.metric("finished", cast(batch.column("finished"), RGM_F32));
    if (o_.score) {
      const Tensor score = train.score(batch);
      batch.set("score", score);
      train.metric_of_scores("score", score);
      train.metric("positive", sum(positive(score)), sum(cast(equal(score, score), RGM_F32)));
    }
    return {batch};
  }

 private:
  Options o_;
};

constexpr rgm_component sample = strategy<Sample>("sample", "1.0.0", "Answers to every prompt, as rows");
RGM_PLUGIN("sample", "1.0.0", "", &sample);
