// reader.hpp - what the parts of the check share: the file, its problems, where components and data are found, and the
// stages so far. One function for each part of the grammar: it notes what is wrong and goes on.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "pipeline/pipeline.hpp"
#include "pipeline/yaml.hpp"
#include "plugins/problems.hpp"

namespace rgm {

// Throws RGM_INVALID with a near name when there is none.
using ComponentFinder = std::function<const Component&(int kind, const std::string& id)>;
// Makes a plug-in file known, before anything is looked up.
using PluginAdder = std::function<void(const fs::path& file, const std::string& sha256)>;

class Citations;

struct Reader {
  fs::path file;
  Problems& problems;
  const Citations& citations;
  const ComponentFinder& find;
  std::vector<std::string> stage_names;  // all of them, in order
  std::vector<Stage> stages;             // those that were read
};

// The same check for components that come from anywhere: tests have their own.
Pipeline read_pipeline(const fs::path& file, const ReadOptions& options, const ComponentFinder& find,
                       const PluginAdder& add_plugin);

// -- read_component.cpp
Choice read_choice(Reader& reader, const Yaml& yaml, int kind);
std::vector<Choice> read_adapters(Reader& reader, YamlMap& stage);
std::vector<Choice> read_rewards(Reader& reader, YamlMap& stage);  // with weights, or {from: stage or folder}
nlohmann::json to_json(const Choice& choice);                      // id, or {id: {every option}}

// -- read_model.cpp
bool trains(const Stage& stage);  // its strategy has a loss, so the stage leaves a model; else it leaves rows
// `from: NAME`: an earlier stage that leaves what is wanted, or a folder. One of the two is set, or a problem noted.
struct From {
  std::string stage;
  fs::path folder;
};
enum class Wanted { model, reward };
From read_from(Reader& reader, const Yaml& yaml, Wanted wanted);
void read_model(Reader& reader, YamlMap& stage, Stage& out);
void read_roles(Reader& reader, YamlMap& stage, Stage& out);

// -- read_experts.cpp
void read_experts(YamlMap& map, ModelSpec& out);  // of a new model, whose family and other sizes were read

// -- read_data.cpp
void read_data(Reader& reader, YamlMap& stage, Stage& out);

// -- find_file.cpp
// A data file: beside the pipeline, in $REGIMEN_DATA, in data/ at the project's root. Throws with what was looked for,
// where to put it, and where to get it when that is known.
fs::path find_file(const fs::path& pipeline, const std::string& name);
// The files that a name with * or ? stands for, sorted, in the first of these places that has some; for part of a
// file's name.
std::vector<fs::path> find_matching(const fs::path& pipeline, const std::string& pattern);

// -- read_settings.cpp
// Everything that a strategy's defaults may set too, so it is read twice: from them, then from the pipeline.
void read_settings(YamlMap& stage, Stage& out);
const std::vector<std::string>& precisions();  // of a stage, and of moments
// Rounds through the data: of a stage, and between its evaluations.
inline constexpr Range epochs{.min = 0, .max = 1e6, .above = true};
inline constexpr Range micro_batch_rows{.min = 1, .max = 1 << 20};  // micro_batch, where it is no word
// The strategy's defaults, as if a pipeline had given them.
void apply_defaults(Reader& reader, const Yaml& place, Stage& out);

// -- read_optimizer.cpp
void read_optimizer(const Yaml& given, OptimizerSpec& out);

// -- read_evaluate.cpp
void read_evaluate(YamlMap& stage, Stage& out);
void read_keep(YamlMap& map, Stage& out);  // of the stage, or of its `checkpoint`
// `keep: {best: NAME}` of a stage that trains: a number that its evaluations cannot have is a problem.
void check_best(YamlMap& map, const Stage& stage);

// -- check_demands.cpp
// `demand` of a stage that trains: a number that its result cannot have is a problem, one that looks mistyped a
// warning.
void check_demands(const Reader& reader, YamlMap& map, const Stage& stage, bool validates);

// -- check_followers.cpp
// Of a stage whose roles follow its policy: one that cannot is a problem.
void check_followers(const Reader& reader, YamlMap& map, const Stage& stage);

// -- check_rewards.cpp
// A reward that the strategy cannot ask is a problem, one that it does not say it asks (`needs` of its plan) a warning.
void check_unused_reward(const Reader& reader, YamlMap& map, const Stage& stage, uint32_t needs);

// -- read_stage.cpp
Stage read_stage(Reader& reader, const Yaml& yaml, size_t index);

// -- effective.cpp
nlohmann::json effective(const Stage& stage);

}  // namespace rgm
