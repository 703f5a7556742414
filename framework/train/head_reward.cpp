// head_reward.cpp - answers as a classifier reads them, and what its head says of them.
#include "train/head_reward.hpp"

#include <algorithm>
#include <cmath>

#include "generate/generate.hpp"
#include "tensor/ops.hpp"
#include "train/closed_answers.hpp"

namespace rgm {
namespace {

// As the head reads it; something of a text stays in any case.
void end_as_read(TokenExample& example, bool is_finished, const HeadReward& head, const std::vector<int32_t>& ends,
                 int64_t context) {
  const auto room = [&] { return std::ssize(example.ids) < context; };
  const auto add = [&](int32_t id) { example.ids.push_back(id), example.weights.push_back(1); };
  const auto drop = [&] { example.ids.pop_back(), example.weights.pop_back(); };
  const auto has_end = [&] { return std::ranges::find(ends, example.ids.back()) != ends.end(); };
  if (example.ids.empty()) return;
  if (!head.reads_end) {
    if (example.ids.size() > 1 && has_end()) drop();
    return;
  }
  if (is_finished && !ends.empty() && !has_end() && room()) add(ends.front());
  if (!head.ending.empty() && has_end() && example.ids.back() == head.ending.front())
    for (size_t i = 1; i < head.ending.size() && room(); ++i) add(head.ending[i]);
  while (head.pad && example.ids.size() > 1 && example.ids.back() == *head.pad) drop();
}

float log_odds(std::span<const float> outputs, size_t label) {
  if (outputs.size() == 1) return outputs[0];
  double most = -INFINITY, sum = 0;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (i != label) most = std::max(most, static_cast<double>(outputs[i]));
  for (size_t i = 0; i < outputs.size(); ++i)
    if (i != label) sum += std::exp(static_cast<double>(outputs[i]) - most);
  return static_cast<float>(static_cast<double>(outputs[label]) - most - std::log(sum));
}

}  // namespace

Batch as_head_reads(const HeadReward& head, const Batch& answers, const Model& writer, int64_t context) {
  std::vector<int32_t> ends = ends_of_text(writer);
  if (const auto own = writer.tokenizer() ? writer.tokenizer()->end_of_text() : std::nullopt)
    ends.insert(ends.begin(), *own);  // the one that is added
  const auto finished = answers.columns.find("finished");
  const bool says_finished = finished != answers.columns.end() && finished->second.kind == ColumnKind::integer;
  Batch out;
  out.examples = answers.examples;
  for (const std::string& name : token_columns(answers)) {
    std::vector<TokenExample> examples = token_examples(answers.columns.at(name), answers.examples);
    for (size_t e = 0; e < examples.size(); ++e)
      end_as_read(examples[e], says_finished && finished->second.integers[e] == 1, head, ends, context);
    out.columns[name] = pack(examples, context);
  }
  return out;
}

std::vector<float> head_scores(const HeadReward& head, const Model& model, Batch answers) {
  const auto outputs = static_cast<size_t>(model.config().outputs);
  const std::vector<std::string> names = token_columns(answers);
  require(!names.empty(), "a classifier scores answers, and there is no column of tokens");
  std::vector<float> out;
  for (const std::string& name : names) {
    const Tensor hidden =
        model.hidden({.tokens = column(answers, name), .segments = column(answers, name + ".segments")});
    const Tensor last = ops::gather(ops::reshape(hidden, {-1, hidden.size(-1)}), 0, column(answers, name + ".ends"));
    const std::vector<float> all = to_host(model.scores(last));  // (E, outputs)
    for (size_t begin = 0; begin < all.size(); begin += outputs)
      out.push_back(log_odds(std::span(all).subspan(begin, outputs), static_cast<size_t>(head.label)));
  }
  return out;
}

}  // namespace rgm
