// choices.cpp - questions of equal length are read in one pass into a cache of keys and values, and their answers in a
// second one behind it.
#include "generate/choices.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/error.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {

constexpr int64_t slots_at_once = 8192;  // of the cache, which has a row for each answer

struct Prefix {
  std::vector<int32_t> ids;
  std::vector<size_t> answers{};  // by number
  int64_t longest = 0;            // of these
  int64_t slots() const { return std::ssize(answers) * (std::ssize(ids) + longest - 1); }
};
struct Answer {
  std::vector<int32_t> ids;
  double logprob = 0;
};

class ChoiceScorer {
 public:
  ChoiceScorer(const Model& model, const std::function<void()>& between)
      : model_(model), between_(between), front_(model.front().count()) {}

  // Tokens of a question and one answer that fit: the last one of all is not read.
  int64_t room() const { return model_.config().context - front_ + 1; }

  void add(const ChoiceQuestion& question, ChoiceScore& total) {
    const size_t first = prefixes_.size();
    bool is_cut = false;
    for (size_t i = 0; i < question.choices.size(); ++i) {
      std::string before = question.prompt, answer = question.choices[i];
      const std::string separator = before.empty() || std::isspace(static_cast<unsigned char>(before.back())) ||
                                            std::isspace(static_cast<unsigned char>(answer[0]))
                                        ? ""
                                        : question.separator;
      if (question.then) {
        before += separator + answer;
        answer = (std::isspace(static_cast<unsigned char>((*question.then)[0])) ? "" : " ") + *question.then;
      } else {
        answer = separator + answer;
      }
      PromptAndAnswer both = encoded(before, answer, question.where);
      std::vector<int32_t>&ids = both.prompt, &own = both.answer;
      const int64_t most = room() - std::ssize(own);
      require(most > 0, "{}: choice {} has {} tokens, and the model's context of {} has no room for them",
              question.where, i + 1, own.size(), model_.config().context);
      if (std::ssize(ids) > most) ids.erase(ids.begin(), ids.end() - most), is_cut = true;
      auto same = std::find_if(prefixes_.begin() + std::ptrdiff_t(first), prefixes_.end(),
                               [&](const Prefix& p) { return p.ids == ids; });
      if (same == prefixes_.end()) same = prefixes_.insert(same, Prefix{.ids = std::move(ids)});
      same->answers.push_back(answers_.size());
      same->longest = std::max(same->longest, std::ssize(own));
      answers_.push_back({std::move(own)});
    }
    total.cut += is_cut;
  }

  // Log-probabilities of all answers, in the order in which they came.
  const std::vector<Answer>& run() {
    std::vector<const Prefix*> order;
    for (const Prefix& p : prefixes_) order.push_back(&p);
    std::ranges::stable_sort(order, {}, [](const Prefix* p) { return p->ids.size(); });
    for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
      int64_t slots = 0;
      for (end = begin; end < order.size() && order[end]->ids.size() == order[begin]->ids.size(); ++end)
        if (slots += order[end]->slots(); slots > slots_at_once && end > begin) break;
      score(std::span(order).subspan(begin, end - begin));
      if (between_) between_();
    }
    return answers_;
  }

 private:
  PromptAndAnswer encoded(const std::string& before, const std::string& answer, const std::string& where) const {
    const Tokenizer& tokenizer = *model_.tokenizer();
    PromptAndAnswer out;
    try {
      out = encode_answer(tokenizer, before, answer);
    } catch (const Error& e) {
      invalid("{}: {}", where, e.what());
    }
    if (out.prompt.empty() && tokenizer.end_of_text()) out.prompt = {*tokenizer.end_of_text()};
    require(!out.prompt.empty(),
            "{}: the prompt is empty, and an answer has to follow something: put words into it, as this tokenizer has "
            "no end of text to begin with",
            where);
    return out;
  }

  // Prefixes of one length.
  void score(std::span<const Prefix* const> prefixes) {
    const auto Q = std::ssize(prefixes), P = std::ssize(prefixes[0]->ids);
    std::vector<int32_t> tokens;
    std::vector<int64_t> of;  // which prefix each row of answers is behind
    std::vector<Answer*> rows;
    for (int64_t q = 0; q < Q; ++q) {
      const Prefix& prefix = *prefixes[size_t(q)];
      tokens.insert(tokens.end(), prefix.ids.begin(), prefix.ids.end());
      for (const size_t answer : prefix.answers) of.push_back(q), rows.push_back(&answers_[answer]);
    }
    const auto R = std::ssize(rows);
    int64_t n = 0;
    for (const Answer* row : rows) n = std::max(n, std::ssize(row->ids));
    KeyValueCache cache(model_.config(), Q, front_ + P + n - 1, model_.dtype());
    const Tensor read = model_.hidden({.tokens = from_host(std::span<const int32_t>(tokens), {Q, P})}, &cache);
    const std::vector<int32_t> of_rows(of.begin(), of.end());
    Tensor states = ops::gather(ops::slice(read, 1, P - 1, P), 0, from_host(std::span<const int32_t>(of_rows), {R}));
    // Behind the end of a short answer stands anything: what comes before does not see it.
    std::vector<int32_t> targets(size_t(R * n), -1), behind(size_t(R * (n - 1)));
    for (int64_t r = 0; r < R; ++r) {
      const std::vector<int32_t>& ids = rows[size_t(r)]->ids;
      std::ranges::copy(ids, targets.begin() + r * n);
      std::copy_n(ids.begin(), ids.size() - 1, behind.begin() + r * (n - 1));
    }
    if (n > 1) {
      if (R > Q) cache.keep(of);
      const Pass pass{.tokens = from_host(std::span<const int32_t>(behind), {R, n - 1})};
      states = ops::concat(std::array{states, model_.hidden(pass, &cache)}, 1);
    }
    const ops::HeadOptions head{.scale = 1 / model_.config().logits_divisor, .softcap = model_.config().logits_softcap};
    const Tensor flat = ops::reshape(ops::contiguous(states), {R * n, states.size(2)});
    const auto logprobs =
        to_host<float>(ops::head_logprobs(flat, model_.head_weight(),
                                          from_host(std::span<const int32_t>(targets), {R * n}), false, head)
                           .first);
    for (int64_t r = 0; r < R; ++r)
      for (size_t t = 0; t < rows[size_t(r)]->ids.size(); ++t)
        rows[size_t(r)]->logprob += double(logprobs[size_t(r * n) + t]);
  }

  const Model& model_;
  const std::function<void()>& between_;
  int64_t front_;
  std::vector<Prefix> prefixes_;
  std::vector<Answer> answers_;
};

size_t first_largest(const std::vector<double>& x) { return size_t(std::ranges::max_element(x) - x.begin()); }

}  // namespace

void ChoiceScore::add(const ChoiceQuestion& question, const ScoredChoices& scored) {
  ++count;
  right += scored.likeliest == question.right;
  right_normalized += scored.likeliest_normalized == question.right;
  loss -= scored.logprobs[question.right];
  tokens += scored.tokens[question.right];
}

void ChoiceScore::add(const ChoiceScore& others) {
  count += others.count;
  right += others.right;
  right_normalized += others.right_normalized;
  cut += others.cut;
  loss += others.loss;
  tokens += others.tokens;
}

PromptAndAnswer encode_answer(const Tokenizer& tokenizer, std::string prompt, std::string answer) {
  const size_t end = prompt.find_last_not_of(" \t\n\r\f\v") + 1;  // 0 where there is nothing else
  answer.insert(0, prompt, end);
  prompt.resize(end);
  PromptAndAnswer out;
  if (!prompt.empty()) out.prompt = tokenizer.encode(prompt);
  const std::vector<int32_t> whole = tokenizer.encode(prompt + answer);
  if (whole.size() > out.prompt.size())
    out.answer.assign(whole.begin() + std::ssize(out.prompt), whole.end());
  else
    out.answer = tokenizer.encode_on(answer);
  return out;
}

void require_scorable(const Model& model, std::span<const ChoiceQuestion> questions) {
  const std::function<void()> nothing;
  ChoiceScore ignored;
  for (const ChoiceQuestion& question : questions) ChoiceScorer(model, nothing).add(question, ignored);
}

std::vector<ScoredChoices> score_choices(const Model& model, std::span<const ChoiceQuestion> questions,
                                         ChoiceScore& total, const std::function<void()>& between) {
  const NoGradient still;
  ChoiceScorer scorer(model, between);
  for (const ChoiceQuestion& question : questions) scorer.add(question, total);
  const std::vector<Answer>& answers = scorer.run();
  std::vector<ScoredChoices> out;
  size_t at = 0;
  for (const ChoiceQuestion& question : questions) {
    ScoredChoices& one = out.emplace_back();
    for (size_t i = 0; i < question.choices.size(); ++i, ++at) {
      one.logprobs.push_back(answers[at].logprob);
      one.normalized.push_back(answers[at].logprob / double(question.scored(i).size()));
      one.tokens.push_back(std::ssize(answers[at].ids));
    }
    one.likeliest = first_largest(one.logprobs);
    one.likeliest_normalized = first_largest(one.normalized);
    total.add(question, one);
  }
  return out;
}

}  // namespace rgm
