// session_examples.cpp - examples that a strategy asks for beside those it walks through: drawn from another source of
// the stage, or made of texts.
#include <algorithm>

#include "base/philox.hpp"
#include "train/session.hpp"

namespace rgm {
namespace {

constexpr uint32_t draws_of_examples = 0x6578;

}  // namespace

std::unique_ptr<Batch> draw(const rgm_train& train, const std::string& source, int64_t count) {
  if (!train.sources || !train.sources->contains(source)) return nullptr;
  const Source& from = *train.sources->at(source);
  require(count >= 0 && count <= from.units(), "{}: {} examples are to be drawn from `{}`, which has {}", train.stage,
          count, source, from.units());
  return std::make_unique<Batch>(from.batch(0, count, mix(train.seed, draws_of_examples)));
}

void require_of_this_call(const rgm_train& train, const Batch* answered, const Batch& given,
                          const std::string& strategy) {
  const auto is_answered = [&](const std::unique_ptr<Batch>& batch) { return batch.get() == answered; };
  require(!answered || answered == &given || std::ranges::any_of(train.batches, is_answered),
          "{}: rollout returned a batch that is not from this call, and may be gone: a batch lives until the call that "
          "saw it returns; its author has to correct it",
          strategy);
}

void set_tokens(const rgm_train& train, Batch& batch, const std::string& column, std::span<const rgm_str> prompts,
                std::span<const rgm_str> answers) {
  const Tokenizer& tokenizer = *train.policy->tokenizer();
  require(batch.examples == 0 || batch.examples == static_cast<int64_t>(prompts.size()),
          "{} examples for the column \"{}\" of a batch of {}", prompts.size(), column, batch.examples);
  std::vector<TokenExample> examples;
  for (size_t i = 0; i < prompts.size(); ++i) {
    TokenExample& e = examples.emplace_back();
    e.ids = tokenizer.encode(view(prompts[i]));
    const std::vector<int32_t> answer =
        answers.empty() ? std::vector<int32_t>() : tokenizer.encode_on(view(answers[i]));
    const int64_t room = train.context - static_cast<int64_t>(answer.size());
    require(room > 0, "{}: an answer of {} tokens does not fit into the {} of {}", train.stage, answer.size(),
            train.by_length ? "length" : "context", train.context);
    if (static_cast<int64_t>(e.ids.size()) > room) e.ids.erase(e.ids.begin(), e.ids.end() - room);
    e.weights.assign(e.ids.size(), answers.empty() ? 1.0F : 0.0F);
    e.ids.insert(e.ids.end(), answer.begin(), answer.end());
    e.weights.resize(e.ids.size(), 1);
    require(!e.ids.empty(), "{}: a text without tokens cannot be read: \"{}\"", train.stage,
            view(prompts[i]).substr(0, 60));
  }
  batch.examples = static_cast<int64_t>(prompts.size());
  batch.columns.insert_or_assign(column, pack(examples, train.context));
}

}  // namespace rgm
