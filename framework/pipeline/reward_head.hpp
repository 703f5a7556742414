// reward_head.hpp - a reward that is a number of the head of a model that is taken: that of a label, or the only one.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "pipeline/pipeline.hpp"
#include "train/head_reward.hpp"

namespace rgm {

struct Reader;

// Of a model's own head: how many numbers it has (0: there is none), and what they are called.
struct OwnHead {
  int64_t outputs = 0;
  std::vector<std::string> labels{};
};
// Of the model that lies in a folder, with the adapters beside it. RGM_INVALID where there is none.
OwnHead own_head(const fs::path& folder);
// Of one that a stage takes or leaves, as far as the pipeline and files say; nothing where only opening it can tell.
std::optional<OwnHead> own_head(const Reader& reader, const ModelSpec& model);

// What is wrong with a label, or with none, for this head; empty: nothing.
std::string wrong_label(const OwnHead& head, const std::optional<std::string>& label);

// Which number of the model the reward is, and how its answers end. Unless the pipeline says so, a head has learned
// from texts as they are written, without an end of text, as stages with a head and transformers' text classification
// train it; but one number of a folder that no stage left is that of a reward model, which learned from whole answers.
HeadReward head_reward(const Choice& choice, const Model& model);

}  // namespace rgm
