// row_room.hpp - how long the rows of a stage may be: several models read them, and the one with the least room says.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "pipeline/pipeline.hpp"
#include "train/session.hpp"

namespace rgm {

struct RowRoom {
  int64_t policy = 0;      // tokens of text: the model's context without its virtual tokens, or the stage's length
  int64_t least = 0;       // of the policy, the roles and the learned rewards, all of them opened
  std::string whose;       // the one with the least, as `reference "base"`
  bool by_length = false;  // `policy` is the stage's length, and the model has room for more

  bool is_least_by_length() const { return by_length && least == policy; }
};
// RGM_INVALID where the stage's length is more than the model's context.
RowRoom row_room(const Stage& stage, const rgm_train& train);

// Data that all models of the stage read. Prompts that are continued lose their first tokens where an answer would find
// no room behind them, and that is said; any other example that the policy could read and another model could not is
// RGM_INVALID, with the name of that model.
std::unique_ptr<Source> open_for_all(const Stage& stage, const DataSpec& data, const std::vector<ColumnWish>& wishes,
                                     const std::shared_ptr<const Tokenizer>& tokenizer, SourceOptions options,
                                     const RowRoom& room, bool is_continued);

}  // namespace rgm
