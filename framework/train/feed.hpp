// feed.hpp - what the optimizer steps are fed: micro-batches from the data, or from the experience of a rollout. Where
// it stands is a few numbers, so a run goes on from any step with the same batches.
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "train/annotations.hpp"
#include "train/trainer.hpp"

namespace rgm {

class Feed {
 public:
  Feed(TrainSetup& setup, void* self);
  // The micro-batches of the next step; they live until the next call. Makes experience where that is used up.
  std::vector<Batch*> next();
  std::vector<Batch*> last() const;  // those of the call before, again
  // Of these, the ones that this process computes: those whose number leaves its rank as the rest, by its size.
  std::vector<Batch*> own() const;
  // Held-out data in order, each example once, one batch at a time.
  void each_held_out(const std::function<void(Batch&)>& see) const;
  // Tokens of the last step that stand behind another one of their example: those that are predicted.
  int64_t tokens() const { return tokens_; }
  bool has_held_out() const { return setup_.sources.contains("validation"); }

  nlohmann::json save(std::vector<SavedArray>& arrays) const;
  void load(const nlohmann::json& state, std::span<const SavedArray> arrays);

 private:
  void from_source();
  void from_experience();
  void make_experience();
  bool roll_out();
  void add_extra(Batch& batch, int64_t position, int64_t count);
  std::vector<int64_t> few_units() const;
  int64_t micro_rows() const;
  std::vector<std::vector<int64_t>> experience_units() const;
  std::vector<std::string> together_columns() const;

  TrainSetup& setup_;
  void* self_;
  const Source& main_;
  std::unique_ptr<Annotations> annotations_, held_out_annotations_;
  std::vector<std::unique_ptr<Batch>> step_;
  int64_t position_ = 0;        // units of the main source that were used
  int64_t extra_position_ = 0;  // of the further sources
  int64_t tokens_ = 0;

  std::unique_ptr<Batch> experience_;
  int64_t epochs_ = 0, steps_ = 0, used_ = 0;  // of the experience; used_ counts optimizer steps over it
};

}  // namespace rgm
