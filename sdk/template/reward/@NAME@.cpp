// @NAME@.cpp - a reward that needs no model: an answer is good if it ends as asked, and the better the shorter it is.
#include <regimen/regimen.hpp>
using namespace regimen;

struct @CLASS@Options {
  std::string_view end = ".";
  int64_t longest = 200;

  static constexpr auto list = options(
      option("end", &@CLASS@Options::end, "what a good answer ends with"),
      option("longest", &@CLASS@Options::longest, "an answer of this many bytes earns nothing").range(1, 1e6));
};

class @CLASS@ {
 public:
  using Options = @CLASS@Options;
  static constexpr rgm_column columns[] = {column::text("answer", RGM_OPTIONAL)};  // of the data, for score to read

  explicit @CLASS@(const Options& o) : o_(o) {}

  float score(const Completion& c) const {
    const std::string_view text = c.text();
    if (!text.ends_with(o_.end)) return 0;
    return std::max(0.0f, 1 - static_cast<float>(text.size()) / static_cast<float>(o_.longest));
  }

 private:
  Options o_;
};

// For a look at the reward before a method learns from it: answers the prompts, and writes each answer with its score.
class @CLASS@Try {
 public:
  using Options = Sampling;  // max_tokens, temperature and the other settings of sampling
  static constexpr rgm_column columns[] = {column::tokens("prompt")};

  explicit @CLASS@Try(const Options& o) : o_(o) { o.check("@NAME@_try"); }

  Plan plan() const { return {.needs_reward = true, .answer_tokens = o_.max_tokens}; }

  Experience rollout(const Train& train, const Batch& prompts) const {
    const Batch answers = o_.generate(train, train.model("policy"), prompts, 1);
    answers.set("score", train.score(answers));
    return {answers};
  }

 private:
  Options o_;
};

constexpr rgm_component component = reward<@CLASS@>("@NAME@", "0.1.0", "Short answers that end as asked");
constexpr rgm_component attempt = strategy<@CLASS@Try>("@NAME@_try", "0.1.0", "Answers prompts and scores the answers");
RGM_PLUGIN("@NAME@", "0.1.0", "", &component, &attempt);
