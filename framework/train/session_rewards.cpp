// session_rewards.cpp - what the rewards say of answers, and what a learned one minimises.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/log.hpp"
#include "tensor/ops.hpp"
#include "tensor/plugin_call.hpp"
#include "train/closed_answers.hpp"
#include "train/session.hpp"

namespace rgm {
namespace {

bool is_of_kind(const BatchColumn& column, int32_t kind) {
  switch (column.kind) {
    case ColumnKind::text: return kind == RGM_TEXT_COLUMN;
    case ColumnKind::integer: return kind == RGM_INTEGER_COLUMN || kind == RGM_LABEL_COLUMN;
    case ColumnKind::real: return kind == RGM_REAL_COLUMN;
    default: return false;
  }
}

// What one rule says of every answer.
std::vector<float> rule_scores(const Reward& reward, const Batch& batch, const Tokenizer& tokenizer) {
  const std::string name = first_tokens(batch);
  const BatchColumn& tokens = batch.columns.at(name);
  const auto n = size_t(batch.examples);
  std::vector<std::vector<int32_t>> prompts(n);
  for (size_t i = 0; i < tokens.integers.size(); ++i)
    if (tokens.segments[i] > 0 && tokens.reals[i] == 0)
      prompts[size_t(tokens.segments[i] - 1)].push_back(tokens.integers[i]);

  std::vector<std::string> prompt_texts(n);
  std::vector<std::vector<rgm_value>> columns(n);
  std::vector<rgm_completion> items(n);
  std::vector<const rgm_completion*> pointers(n);
  for (size_t e = 0; e < n; ++e) {
    prompt_texts[e] = tokenizer.decode(prompts[e]);
    for (const rgm_column* const* wish = reward.table->columns; wish && *wish; ++wish) {
      rgm_value value{};
      if (const auto found = batch.columns.find((*wish)->name); found != batch.columns.end()) {
        const BatchColumn& c = found->second;
        require(is_of_kind(c, (*wish)->kind),
                "{}: it reads the column \"{}\" as {}, but that column holds something else here; its author has to "
                "correct it",
                reward.name, found->first, name_of_kind((*wish)->kind));
        if (c.kind == ColumnKind::text)
          value = {RGM_TEXT, 1, {.s = {c.texts[e].data(), c.texts[e].size()}}};
        else if (c.kind == ColumnKind::integer)
          value = {RGM_INTEGER, 1, {.i = c.integers[e]}};
        else
          value = {RGM_REAL, 1, {.f = c.reals[e]}};
      }
      columns[e].push_back(value);
    }
    const std::string& text = text_of(batch, "text", int64_t(e));
    items[e] = {sizeof(rgm_completion),
                0,
                {prompt_texts[e].data(), prompt_texts[e].size()},
                {text.data(), text.size()},
                columns[e].data()};
    pointers[e] = &items[e];
  }
  std::vector<float> out(n);
  call_plugin(reward.name, "score",
              [&] { return reward.table->score(reward.self, pointers.data(), uint32_t(n), out.data()); });
  return out;
}

// What a reward says of each of `n` answers.
Tensor checked_scores(Tensor scores, int64_t n, const Reward& reward) {
  require(bool(scores),
          "{}: scores returned no tensor, one of the shape ({}) was expected; its author has to correct it",
          reward.name, n);
  require(scores.shape() == Shape{n} && is_float(scores.dtype()),
          "{}: scores returned {} of the shape {}, real numbers of the shape ({}) were expected; its author has to "
          "correct it",
          reward.name, name_of(scores.dtype()), scores.shape().text(), n);
  return scores;
}

// Of the batch's token columns, one after the other by name: both answers of each pair.
Tensor learned_scores(const Reward& reward, Model& model, Batch& batch) {
  std::vector<Tensor> all;
  const std::vector<std::string> names = token_columns(batch);
  require(!names.empty(), "reward {}: there is no column of tokens to be scored", reward.id);
  for (const std::string& name : names) {
    const Tensor hidden =
        model.forward({column(batch, name), column(batch, name + ".segments"), {}, 1}, RGM_HIDDEN).front();
    const Tensor ends = column(batch, name + ".ends");
    rgm_tensor* out = nullptr;
    call_plugin(reward.name, "scores",
                [&] { return reward.table->scores(reward.self, hidden.get(), ends.get(), &out); });
    all.push_back(checked_scores(Tensor::adopt(out), ends.size(0), reward));
  }
  return all.size() == 1 ? all.front() : ops::concat(all, 0);
}

// A reward answers NaN where it has no opinion. Why, only it can know.
void note_silence(const Reward& reward, rgm_train& train, const std::vector<float>& scores) {
  train.silent.erase(reward.label);
  if (scores.empty() || !std::ranges::all_of(scores, [](float x) { return std::isnan(x); })) return;
  train.silent.insert(reward.label);
  if (train.warned.insert("silent " + reward.name).second)
    log::warning("{}: reward \"{}\" scores none of {} answers: it has no opinion on any of them", train.stage,
                 reward.label, scores.size());
}

std::vector<float> computed_scores(const Reward& reward, rgm_train& train, Batch& completions) {
  if (reward.head) {
    const Batch read = as_head_reads(*reward.head, completions, *train.policy, train.context);
    return head_scores(*reward.head, *reward.model, read);
  }
  if (reward.table->score) return rule_scores(reward, completions, *train.policy->tokenizer());
  auto closed = closed_answers(completions, *train.policy, train.context);
  return to_host(learned_scores(reward, *reward.model, closed ? *closed : completions));
}

// Where all processes ask, the first one computes: what a rule does beside answering, such as calling a program,
// happens once.
std::vector<float> scores_of(const Reward& reward, rgm_train& train, Batch& completions) {
  std::vector<float> scores;
  if (!train.is_joint || train.processes->size() == 1) {
    scores = computed_scores(reward, train, completions);
  } else {
    const std::string bytes = from_first(*train.processes, [&] {
      scores = computed_scores(reward, train, completions);
      return std::string(reinterpret_cast<const char*>(scores.data()), scores.size() * sizeof(float));
    });
    scores.resize(bytes.size() / sizeof(float));
    std::memcpy(scores.data(), bytes.data(), bytes.size());
  }
  note_silence(reward, train, scores);
  if (reward.head || !reward.table->score) return scores;
  require(std::ranges::none_of(scores, [](float x) { return std::isinf(x); }),
          "{}: score returned infinity, expected a number, or NaN where it has no opinion", reward.name);
  return scores;
}

// Where several rewards are added up, what each of them says by itself, before its weight: `reward_rule`, and of a
// second one with that label `reward_rule_2`. No name is in `told` twice.
void tell_of_each(const Reward& reward, rgm_train& train, const std::vector<float>& scores,
                  std::set<std::string>& told) {
  std::string name = "reward_" + reward.label;
  for (int n = 2; !told.insert(name).second; ++n) name = fmt::format("reward_{}_{}", reward.label, n);
  double sum = 0, count = 0;
  for (const float x : scores)
    if (!std::isnan(x)) sum += double(x), count += 1;
  add_metric(train, name, ops::full({}, sum), ops::full({}, count));
}

// The first answers to different prompts, which are the same prompts in every evaluation.
void show(nlohmann::json& shown, const Batch& completions, const std::vector<float>& scores) {
  const auto prompts = completions.columns.find("prompt"), texts = completions.columns.find("text");
  if (prompts == completions.columns.end() || texts == completions.columns.end()) return;
  const std::vector<std::string>&p = prompts->second.texts, &t = texts->second.texts;
  for (size_t e = 0; e < scores.size() && e < p.size() && e < t.size() && shown.size() < most_shown; ++e) {
    if (!shown.empty() && shown.back()["prompt"] == p[e]) continue;
    shown.push_back({{"prompt", p[e]}, {"text", t[e]}, {"reward", nullptr}});
    if (std::isfinite(scores[e])) shown.back()["reward"] = scores[e];
  }
}

}  // namespace

Tensor score(rgm_train& train, Batch& completions) {
  const NoGradient still;
  require(!train.rewards.empty(), "a score was asked for, but the stage has no reward; add `reward:` to it");
  std::vector<float> sum;
  const auto counts = [](const Reward& reward) { return reward.weight != 0; };
  const bool are_several = std::ranges::count_if(train.rewards, counts) > 1;
  std::set<std::string> told;
  for (const Reward& reward : train.rewards) {
    if (!counts(reward)) continue;  // it is asked by name
    const std::vector<float> part = scores_of(reward, train, completions);
    if (are_several) tell_of_each(reward, train, part, told);
    sum.resize(part.size());
    for (size_t e = 0; e < part.size(); ++e) sum[e] += float(reward.weight) * part[e];
  }
  require(!sum.empty(), "a score was asked for, but all rewards of the stage have the weight 0");
  if (train.shown) show(*train.shown, completions, sum);
  return from_host(sum, {int64_t(sum.size())});
}

Tensor score_of(rgm_train& train, Batch* completions, const std::string& name) {
  const NoGradient still;
  for (const Reward& reward : train.rewards) {
    if (reward.label != name) continue;
    if (!completions) return ops::full({0}, 0);
    const std::vector<float> all = scores_of(reward, train, *completions);
    return from_host(all, {int64_t(all.size())});
  }
  return {};
}

Tensor reward_loss(rgm_train& train, Batch& batch) {
  for (const Reward& reward : train.rewards) {
    // One with a model of its own has learned.
    if (reward.head || !reward.table->loss || reward.model != train.policy) continue;
    const Tensor scores = learned_scores(reward, *train.policy, batch);
    rgm_tensor* out = nullptr;
    call_plugin(reward.name, "loss",
                [&] { return reward.table->loss(reward.self, &train, &batch, scores.get(), &out); });
    require(out != nullptr, "{}: loss returned no tensor, one number was expected; its author has to correct it",
            reward.name);
    return Tensor::adopt(out);
  }
  invalid("the strategy trains a reward, but the stage has none that learns; add one as `reward:`");
}

}  // namespace rgm
