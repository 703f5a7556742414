// pipeline.hpp - a pipeline as it stands after checking: every name resolved, every value typed, every default filled
// in.
#pragma once
#include <regimen/abi/plugin.h>

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "data/source.hpp"
#include "plugins/registry.hpp"
#include "train/settings.hpp"

namespace rgm {

// A plug-in's component with its options: `id` or `{id: {options}}`.
struct Choice {
  std::string id;
  const Component* component = nullptr;
  std::shared_ptr<rgm_config> config;
  double weight = 1;       // of one reward among several
  std::string from_stage;  // a reward that an earlier stage learned, or the adapter that this one starts as;
  fs::path from_folder;    //   or the folder that it lies in
  // A reward that is no plug-in's, but a number of the head of the model that it is taken from: that of this label, or
  // the only one; and whether the head reads an end of text behind an answer, if the pipeline says so.
  bool is_head = false;
  std::optional<std::string> label = {};
  std::optional<bool> end_of_text = {};
  bool is_taken() const { return !from_stage.empty() || !from_folder.empty(); }
};

// `family: ...` with sizes, or `from:` an earlier stage or a folder.
struct ModelSpec {
  std::string from_stage;
  fs::path from_folder;
  std::string family;                    // when made anew
  std::map<std::string, int64_t> sizes;  // layers, heads, kv_heads, channels, context, hidden, experts …: those given
  std::map<std::string, double> reals;   // dropout, balance
  std::optional<bool> tied = {};         // whether the head is the embedding; left out: as the family
  // `head`: outputs of one of the model's own, and their labels; language: 0 outputs; left out: as it was
  std::optional<int64_t> head_outputs = std::nullopt;
  std::vector<std::string> head_labels = {};
  bool merged = false;  // of one that is taken: its adapters are folded into its weights first
  // Special tokens that one that is taken gets.
  std::vector<std::string> add_tokens = {};
};

struct TokenizerSpec {
  std::string kind;        // bytes, characters, bpe, from
  int64_t vocabulary = 0;  // of bpe
  fs::path from;
  bool given = false;
};

// A number of a stage's result has to lie between these.
struct Demand {
  std::optional<double> at_least, at_most;
};

// How weights that nobody trains may be kept.
inline const std::vector<std::string> weight_types = {"float32", "bfloat16", "nf4"};

struct Stage : TrainSettings {
  std::string name;
  Choice strategy;
  ModelSpec model;
  TokenizerSpec tokenizer;
  std::map<std::string, DataSpec> data;    // train, validation, prompts, pretrain, samples ...
  std::map<std::string, ModelSpec> roles;  // reference, teacher, critic
  std::vector<Choice> adapters;
  std::vector<Choice> rewards;
  std::string trainable_kind = "all";  // all, adapter, head, last, names
  int64_t trainable_last = 0;
  std::vector<std::string> trainable_names;
  std::string precision = "float32", weights = "float32";
  bool recompute = false;
  bool micro_batch_auto = false;              // micro_batch is chosen when the stage begins, and 0 until then
  std::map<std::string, Demand> demands;      // of its result, before anything behind it is run
  nlohmann::json effective;                   // every value in force, as `plan` prints it and stage.json keeps it
  std::map<std::string, std::string> places;  // of its keys, for messages: `file:line:column`; its own under ""
};

struct Pipeline {
  std::string name;
  fs::path file;
  uint64_t seed = 1337;
  std::optional<Choice> backend;  // left out: the usable one with the highest score
  std::vector<Stage> stages;
  std::optional<int64_t> processes;  // that this machine starts to run it together; left out: one, or a launcher's
  std::optional<Choice> collective;  // which joins them; left out: the usable one with the highest score
};

struct ReadOptions {
  std::vector<std::string> set;                                // "stages.base.steps=10"
  std::optional<std::string> backend;                          // --backend
  std::optional<std::string> processes = {}, collective = {};  // --processes, --collective
};

// Reads and checks everything, reporting all problems at once: throws RGM_INVALID whose text is one line a problem,
// `file:line:column: text`. Plug-ins that the pipeline names are loaded through `registry`; extra files named by
// `plugins:` are given to it first.
Pipeline read_pipeline(const fs::path& file, const ReadOptions& options, Registry& registry);

}  // namespace rgm
