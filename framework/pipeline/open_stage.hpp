// open_stage.hpp - from a checked stage to what the trainer runs: models, adapters, rewards and data, opened.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "host/row_adapters.hpp"
#include "pipeline/open_model.hpp"
#include "train/trainer.hpp"

namespace rgm {

struct RowRoom;

// Everything that one stage works with. Members go in reverse order: what borrows before what it borrows from.
struct OpenedStage {
  std::shared_ptr<Model> model;                           // the policy
  std::map<std::string, std::shared_ptr<Model>> trained;  // further roles that the strategy trains, such as a critic
  std::unique_ptr<Adapters> adapters;                     // or
  std::unique_ptr<RowAdapters> ensemble;                  // several members with the same adapters
  std::unique_ptr<rgm_train> train;
  TrainSetup setup;

  std::vector<Adapters*> adapter_sets() const;  // none, one, or an ensemble's members
  int64_t parameters() const;                   // of the policy, its adapters and what plug-ins filed in it
  uint64_t parameter_bytes() const;             // of the same
  int64_t trained_parameters() const;           // of all that the stage trains
  bool base_is_frozen() const;                  // no parameter of the policy's own is trained
};

// `index` is the stage's place in the pipeline: its random numbers differ from those of other stages. Without data the
// models are there, and no source is.
OpenedStage open_stage(const Stage& stage, size_t index, const Surroundings& around, bool with_data = true);

// -- attach_adapters.cpp
// The adapters of the policy; of an ensemble a set for each member.
void open_adapters(const Stage& stage, uint64_t seed, const Surroundings& around, OpenedStage& out);
// Those that the base was trained with come first and stay as they are; the stage's own follow.
std::unique_ptr<Adapters> attached(const Stage& stage, uint64_t seed, const Surroundings& around,
                                   const std::shared_ptr<Model>& model);
// What is wrong with a stage whose own adapter has the name of one that its model comes with, from `first`.
std::string second_adapter(const Stage& stage, const std::string& id, const std::string& first);
// An adapter that takes its first values from another one, and the folder that this one lies in.
bool starts_as_another(const Choice& adapter);
fs::path start_of(const Choice& adapter, const fs::path& run);

// -- open_roles.cpp
void open_roles(const Stage& stage, const Surroundings& around, OpenedStage& out);

// -- open_data.cpp
// The source that the strategy walks through: "train", "prompts", "samples".
std::string main_source_of(const Stage& stage);
// The wishes of the stage's components by the pipeline's name of the source.
std::map<std::string, std::vector<ColumnWish>> wishes_of(const Stage& stage);
// A stage's data with the rows of the earlier stage it comes from filled in.
DataSpec data_of(const Stage& stage, const std::string& source, const fs::path& run);
void open_sources(const Stage& stage, const Surroundings& around, const RowRoom& room, OpenedStage& out);

}  // namespace rgm
