// taken_model.hpp - models that a stage reads or trains beside its policy, as they were trained: with the adapters that
// lie beside them.
#pragma once
#include "pipeline/open_model.hpp"

namespace rgm {

struct TakenModel {
  std::shared_ptr<Model> model;
  std::shared_ptr<void> adapters;  // at work in the model as long as this lives; NULL: it has none
};

// The adapters that act in a model that is taken: those that it was trained with, and none where they are merged. In a
// plan those of an earlier stage are not there yet.
std::vector<fs::path> adapters_of(const ModelSpec& spec, const Surroundings& around);

// One that nobody trains: a reference, a teacher, a reward.
TakenModel take_frozen(const ModelSpec& spec, const Surroundings& around, const NarrowWeights& narrow);
// The stage's policy with the adapters that it was trained with merged: checked in float32, and then rounded to what is
// `narrow`. RGM_INVALID where it has none, or one that cannot be merged.
std::shared_ptr<Model> take_merged(const Stage& stage, const Surroundings& around, const NarrowWeights& narrow);
// One that is trained further: its adapters are folded into its weights. RGM_INVALID, naming `what`, where they cannot
// be.
std::shared_ptr<Model> take_to_train(const std::string& what, const ModelSpec& spec, const Surroundings& around);

}  // namespace rgm
