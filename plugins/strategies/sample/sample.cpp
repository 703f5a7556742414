// sample.cpp - answers to every prompt, as rows: `prompt`, `text` (the answer), `finished` (1: it ended by itself),
// `logprob` (of the answer, under temperature, before top_k, top_p, min_p and repetition_penalty), and `completion`
// with `completion.logprobs`, one number for each of its tokens, 0 for those of the prompt. With `score: true` the
// stage's rewards are asked too.
#include <regimen/regimen.hpp>
using namespace regimen;

struct SampleOptions : Sampling {
  int64_t answers = 4;
  bool score = false;

  using O = SampleOptions;
  static constexpr auto list =
      options(option("answers", &O::answers, "answers to each prompt").range(1, 1024), Sampling::list,
              option("score", &O::score, "asks the stage's rewards about every answer"));
};

class Sample {
 public:
  using Options = SampleOptions;
  static constexpr rgm_column columns[] = {column::tokens("prompt")};

  explicit Sample(const Options& o) : o_(o) { o.check("sample"); }

  Plan plan() const { return {.needs_reward = o_.score, .answer_tokens = o_.max_tokens}; }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch batch = o_.generate(train, train.model("policy"), prompts, o_.answers);
    const Tokens answers = batch.tokens("completion");
    batch.set("logprob", answers.sum_each(batch.column("completion.logprobs")));
    train.metric("length", answers.sum_each(answers.weights));
    train.metric("finished", cast(batch.column("finished"), RGM_F32));
    if (o_.score) {
      const Tensor score = train.score(batch);
      batch.set("score", score);
      train.metric_of_scores("score", score);
      train.metric_of_positive("positive", score);
    }
    return {batch};
  }

 private:
  Options o_;
};

constexpr rgm_component sample = strategy<Sample>("sample", "1.0.0", "Answers to every prompt, as rows");
RGM_PLUGIN("sample", "1.0.0", "", &sample);
