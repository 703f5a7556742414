// head_reward.hpp - a reward that is the head of a model's own: the label of a classifier, or the one number of a head
// that has no labels, as transformers keeps reward models.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "data/batch.hpp"
#include "model/model.hpp"

namespace rgm {

// Which of the head's numbers, and how an answer ends where the head has learned to read it.
struct HeadReward {
  int64_t label = 0;              // among the outputs
  bool reads_end = false;         // false: an answer is read without its end of text, as a classified text has none
  std::optional<int32_t> pad{};   // what transformers pads rows with, and takes for no part of a text
  std::vector<int32_t> ending{};  // of the assistant's turn in a conversation: the end of text, and what follows it
};

// The token columns of `answers`, which `writer` ends as its texts end, as the head reads them: where it reads an end,
// those that are `finished` without one get it. Rows are at most `context` long.
Batch as_head_reads(const HeadReward& head, const Batch& answers, const Model& writer, int64_t context);

// Of each answer, from the state of its last token. Labels exclude each other, so of several outputs x it is the log
// odds of the label, log p - log (1 - p) = x_label - log(sum over the others of e^x), which a shift of all outputs,
// which a softmax does not see, leaves as it is. Token columns follow one after the other, by name.
std::vector<float> head_scores(const HeadReward& head, const Model& model, Batch answers);

}  // namespace rgm
