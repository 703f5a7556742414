// session_answers.cpp - answers sampled from a model, what the rewards say of them, and what a learned reward
// minimises.
#include <algorithm>
#include <cmath>

#include "base/log.hpp"
#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "tensor/ops.hpp"
#include "tensor/plugin_call.hpp"
#include "train/closed_answers.hpp"
#include "train/session.hpp"

namespace rgm {
namespace {

double number_of(const rgm_attr& a, double least, double most, bool whole) {
  const bool is_number = a.value.type == RGM_REAL || a.value.type == RGM_INTEGER;
  const double x = a.value.type == RGM_REAL ? a.value.as.f : is_number ? double(a.value.as.i) : 0;
  require(is_number && x >= least && x <= most && (!whole || x == std::floor(x)),
          "generate: \"{}\" is {}, expected a {}number from {} to {}", a.key,
          is_number ? fmt::format("{}", x) : "not a number", whole ? "whole " : "", least, most);
  return x;
}

double checked_temperature(double x) {
  require(x == 0 || x >= least_temperature,
          "generate: temperature is {}, expected 0, which takes the likeliest token, or at least {}", x,
          least_temperature);
  return x;
}

Sampling read_sampling(std::span<const rgm_attr> attrs) {
  constexpr double many = 1e9;
  Sampling out;
  for (const rgm_attr& a : attrs) {
    require(a.key != nullptr, "generate: a setting has no name");
    const std::string_view key = a.key;
    if (key == "answers")
      out.answers = int64_t(number_of(a, 0, many, true));
    else if (key == "max_tokens")
      out.max_tokens = int64_t(number_of(a, 0, many, true));
    else if (key == "temperature")
      out.temperature = checked_temperature(number_of(a, 0, many, false));
    else if (key == "top_k")
      out.top_k = int64_t(number_of(a, 0, many, true));
    else if (key == "top_p")
      out.top_p = number_of(a, 0, 1, false);
    else if (key == "min_p")
      out.min_p = number_of(a, 0, 1, false);
    else if (key == "stop" && a.value.type == RGM_TEXTS)
      for (uint32_t i = 0; i < a.value.count; ++i) out.stop.emplace_back(view(a.value.as.ss[i]));
    else if (key == "stop" && (a.value.type == RGM_TEXT || a.value.type == RGM_CHOICE))
      out.stop.emplace_back(view(a.value.as.s));
    else if (key == "stop")
      invalid("generate: \"stop\" is neither a text nor a list of texts");
    else
      invalid("generate: \"{}\" is not known; there are answers, max_tokens, temperature, top_k, top_p, min_p, stop",
              key);
  }
  return out;
}

// The tokens of every example of a token column, in order.
std::vector<std::vector<int32_t>> unpacked(const Batch& batch, const BatchColumn& column) {
  std::vector<std::vector<int32_t>> out(size_t(batch.examples));
  for (size_t i = 0; i < column.integers.size(); ++i)
    if (column.segments[i] > 0) out[size_t(column.segments[i] - 1)].push_back(column.integers[i]);
  return out;
}

// Values by example, laid out as the packed column that they belong to.
BatchColumn laid_out(const BatchColumn& tokens, const std::vector<std::vector<float>>& values) {
  BatchColumn out{.kind = ColumnKind::per_token, .rows = tokens.rows, .length = tokens.length};
  out.reals.resize(tokens.integers.size());
  std::vector<size_t> next(values.size());
  for (size_t i = 0; i < tokens.integers.size(); ++i)
    if (const int32_t segment = tokens.segments[i]; segment > 0) {
      const size_t example = size_t(segment - 1);
      if (next[example] < values[example].size()) out.reals[i] = values[example][next[example]++];
    }
  return out;
}

// A prompt loses its first tokens where an answer would find no room behind it.
void leave_room(rgm_train& train, std::vector<std::vector<int32_t>>& prompts, int64_t max_tokens) {
  const int64_t most = prompt_room(train.context, max_tokens);
  int64_t cut = 0;
  for (std::vector<int32_t>& prompt : prompts) {
    if (std::ssize(prompt) <= most) continue;
    prompt.erase(prompt.begin(), prompt.end() - most);
    ++cut;
  }
  if (cut > 0 && train.warned.insert("prompts that lose their first tokens").second)
    log::warning("{}: {}", train.stage,
                 said_of_cut(cut, std::ssize(prompts), train.context, max_tokens, train.by_length));
}

}  // namespace

Batch* generate_batch(rgm_train& train, rgm_model& model, const Batch& prompts, std::span<const rgm_attr> attrs) {
  const NoGradient still;
  const WithHooks hooks(*model.model, model.hooks());
  const std::string name = first_tokens(prompts);
  require(!name.empty(), "generate: the prompts have no column of tokens");
  const Tokenizer& tokenizer = *model.model->tokenizer();
  Sampling sampling = read_sampling(attrs);
  // What is drawn after a step repeats no rollout.
  sampling.seed = train.after_step > 0 ? mix(train.seed, uint64_t(train.after_step), 0x6F)
                                       : mix(train.seed, uint64_t(train.rollout), 0x6E);
  sampling.first_prompt = train.first_prompt;

  auto questions = unpacked(prompts, prompts.columns.at(name));
  leave_room(train, questions, sampling.max_tokens);
  sampling.room = train.context;  // what judges the answers reads them, too
  const std::vector<Generated> answers = generate(*model.model, questions, sampling);

  const std::vector<int32_t> ends = ends_of_text(*model.model);
  auto batch = std::make_unique<Batch>();
  batch->examples = int64_t(answers.size());
  std::vector<TokenExample> examples;
  std::vector<std::vector<float>> logprobs;
  BatchColumn text{.kind = ColumnKind::text}, prompt{.kind = ColumnKind::text}, origin{.kind = ColumnKind::integer},
      finished{.kind = ColumnKind::integer};
  for (const Generated& answer : answers) {
    TokenExample e{questions[size_t(answer.origin)], {}};
    e.weights.assign(e.ids.size(), 0);
    logprobs.emplace_back(e.ids.size(), 0.0F);
    logprobs.back().insert(logprobs.back().end(), answer.logprobs.begin(), answer.logprobs.end());
    e.ids.insert(e.ids.end(), answer.tokens.begin(), answer.tokens.end());
    e.weights.resize(e.ids.size(), 1);
    text.texts.push_back(tokenizer.decode_on(without_end(answer.tokens, ends)));
    prompt.texts.push_back(tokenizer.decode(questions[size_t(answer.origin)]));
    origin.integers.push_back(int32_t(answer.origin));
    finished.integers.push_back(answer.finished ? 1 : 0);
    examples.push_back(std::move(e));
  }
  BatchColumn completion = pack(examples, train.context);
  batch->columns["completion.logprobs"] = laid_out(completion, logprobs);
  batch->columns["completion"] = std::move(completion);
  batch->columns["text"] = std::move(text);
  batch->columns["prompt"] = std::move(prompt);
  batch->columns["origin"] = std::move(origin);
  batch->columns["finished"] = std::move(finished);
  for (const auto& [key, column] : prompts.columns) {
    if (column.kind == ColumnKind::tokens || column.kind == ColumnKind::per_token || batch->columns.contains(key))
      continue;
    BatchColumn repeated{.kind = column.kind};
    for (const Generated& answer : answers) {
      const auto from = size_t(answer.origin);
      if (!column.integers.empty()) repeated.integers.push_back(column.integers[from]);
      if (!column.reals.empty()) repeated.reals.push_back(column.reals[from]);
      if (!column.texts.empty()) repeated.texts.push_back(column.texts[from]);
    }
    batch->columns[key] = std::move(repeated);
  }
  return train.batches.emplace_back(std::move(batch)).get();
}

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
  const auto whole = unpacked(batch, tokens);
  std::vector<std::vector<int32_t>> prompts(whole.size());
  for (size_t i = 0; i < tokens.integers.size(); ++i)
    if (tokens.segments[i] > 0 && tokens.reals[i] == 0)
      prompts[size_t(tokens.segments[i] - 1)].push_back(tokens.integers[i]);

  const size_t n = whole.size();
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
  std::vector<std::string> names;
  for (const auto& [name, column] : batch.columns)
    if (column.kind == ColumnKind::tokens && name.find('.') == std::string::npos) names.push_back(name);
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

std::vector<float> scores_of(const Reward& reward, rgm_train& train, Batch& completions) {
  std::vector<float> scores;
  if (reward.table->score) {
    scores = rule_scores(reward, completions, *train.policy->tokenizer());
  } else {
    auto closed = closed_answers(completions, *train.policy, train.context);
    scores = to_host(learned_scores(reward, *reward.model, closed ? *closed : completions));
  }
  note_silence(reward, train, scores);
  if (!reward.table->score) return scores;
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
  constexpr size_t most = 3;
  const auto prompts = completions.columns.find("prompt"), texts = completions.columns.find("text");
  if (prompts == completions.columns.end() || texts == completions.columns.end()) return;
  const std::vector<std::string>&p = prompts->second.texts, &t = texts->second.texts;
  for (size_t e = 0; e < scores.size() && e < p.size() && e < t.size() && shown.size() < most; ++e) {
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
    if (!reward.table->loss || reward.model != train.policy) continue;  // one with a model of its own has learned
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
