// open_reward.hpp - the rewards of a stage: rules, one that it learns, and those that were learned before.
#pragma once
#include "pipeline/open_model.hpp"
#include "train/session.hpp"

namespace rgm {

// Files them in train.rewards. A reward that the stage learns is part of the policy, in its scope "reward.<id>.".
void open_rewards(const Stage& stage, const Surroundings& around, rgm_train& train);

}  // namespace rgm
