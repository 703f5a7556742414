// session_answers.cpp - answers sampled from a model, as a batch that a strategy learns from.
#include <bit>

#include "base/log.hpp"
#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "tensor/tape.hpp"
#include "train/sampling_settings.hpp"
#include "train/session.hpp"

namespace rgm {
namespace {

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

std::string packed(const std::vector<Generated>& answers, int64_t first) {
  nlohmann::json out = nlohmann::json::array();
  for (const Generated& a : answers) {
    std::vector<uint32_t> bits;  // so that what is not finite arrives, too
    for (const float x : a.logprobs) bits.push_back(std::bit_cast<uint32_t>(x));
    out.push_back({a.origin + first, a.tokens, bits, a.finished});
  }
  const std::vector<uint8_t> bytes = nlohmann::json::to_cbor(out);
  return {bytes.begin(), bytes.end()};
}

void append(std::vector<Generated>& to, const std::string& bytes) {
  for (const nlohmann::json& one : nlohmann::json::from_cbor(bytes)) {
    Generated& a = to.emplace_back();
    a.origin = one.at(0);
    a.tokens = one.at(1).get<std::vector<int32_t>>();
    for (const uint32_t bits : one.at(2).get<std::vector<uint32_t>>()) a.logprobs.push_back(std::bit_cast<float>(bits));
    a.finished = one.at(3);
  }
}

// Where all processes ask, each answers a part of the prompts that follow each other, and everyone has all answers.
std::vector<Generated> dealt_answers(rgm_train& train, const Model& model,
                                     const std::vector<std::vector<int32_t>>& questions, Sampling sampling) {
  ProcessGroup& processes = *train.processes;
  if (!train.is_joint || processes.size() == 1) return generate(model, questions, sampling);
  const auto bound = [&](int64_t rank) { return rank * std::ssize(questions) / processes.size(); };
  const int64_t begin = bound(processes.rank()), end = bound(processes.rank() + 1);
  sampling.first_prompt += begin;
  std::vector<Generated> out;
  for (const std::string& part : from_each(processes, [&] {
         const std::vector<std::vector<int32_t>> own(questions.begin() + begin, questions.begin() + end);
         return own.empty() ? packed({}, 0) : packed(generate(model, own, sampling), begin);
       }))
    append(out, part);
  return out;
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
  const std::vector<Generated> answers = dealt_answers(train, *model.model, questions, sampling);

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

}  // namespace rgm
