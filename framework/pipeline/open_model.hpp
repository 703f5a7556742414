// open_model.hpp - the models of a stage: made anew, or taken from an earlier stage or a folder.
#pragma once
#include <functional>
#include <map>

#include "base/shared_work.hpp"
#include "host/adapters.hpp"
#include "pipeline/pipeline.hpp"

namespace rgm {

// By stage: models of the shapes that stages would leave, without their values.
using PlannedModels = std::map<std::string, std::shared_ptr<Model>>;

// What a stage needs to know about the run that it is part of.
struct Surroundings {
  const Pipeline& pipeline;
  Registry& registry;
  fs::path run;    // folder of the run: <run>/<stage>/model
  fs::path cache;  // of tokenised text; empty: kept in memory
  // In a plan: what earlier stages would leave, by stage. NULL: it lies in their folders.
  const PlannedModels* planned = nullptr;
  std::function<void()> check_folder = {};  // of a run: throws where `run` is no longer the folder it began in
  ProcessGroup* processes = alone();        // that run it together

  // That share out the rows of a step; a plan is that of one of them.
  int64_t sharing() const { return planned ? pipeline.processes.value_or(1) : processes->size(); }
};

// -- model_place.cpp
// Where the weights of a taken model lie: the base, and the adapters that were trained on it.
struct ModelPlace {
  fs::path model;
  std::vector<fs::path> adapters;
};
ModelPlace place_of(const ModelSpec& spec, const Surroundings& around);
// The folder with config.json that `given` means: itself, or the model/ in a stage's folder. RGM_INVALID otherwise.
ModelPlace model_place(const fs::path& given);

// -- make_tokenizer.cpp
// Learned from the training data, of rows from what `wishes` read as tokens, piece by piece, and kept in `cache`
// (unless that is empty) by what it was learned from.
TokenizerPtr make_tokenizer(const TokenizerSpec& spec, const DataSpec* train, const std::vector<ColumnWish>& wishes,
                            const fs::path& cache);

// -- open_model.cpp
ModelConfig config_of(const ModelSpec& spec, int64_t vocabulary);
// The policy of a stage: new weights come from `seed`.
std::shared_ptr<Model> make_model(const Stage& stage, const DataSpec* train, uint64_t seed, const Surroundings& around);
// One that is taken as it is: a reference, a teacher, a reward.
std::shared_ptr<Model> take_model(const ModelSpec& spec, const Surroundings& around, const NarrowWeights& narrow = {});
// Models that read the same tokens must mean the same by them. RGM_INVALID, naming `what`, where they do not.
void require_same_tokens(const std::string& what, const Model& its, const Model& policy);

// -- trainable.cpp
// For models of the stage that nobody trains: what `weights:` says of them.
NarrowWeights narrow_weights(const Stage& stage);
NarrowWeights narrow_weights(const std::string& type);  // one of weight_types, for every matrix
NarrowWeights narrow_policy(const Stage& stage);  // of the policy, before it is opened: what `trainable:` leaves frozen
// Which of the model's own parameters are trained, as `trainable:` says. RGM_INVALID when nothing matches.
void select_trained(const Stage& stage, Model& model);
void freeze(Parameters& all);
void freeze(Model& model);

}  // namespace rgm
