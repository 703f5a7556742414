// read_pipeline.cpp - from a file to a checked pipeline: text, tree, command line, then the grammar from the top down.
#include <algorithm>

#include "base/text.hpp"
#include "pipeline/overrides.hpp"
#include "pipeline/processes.hpp"
#include "pipeline/reader.hpp"
#include "pipeline/yaml_text.hpp"
#include "train/trainer.hpp"

namespace rgm {
namespace {

constexpr int64_t most_processes = 1024;

void read_version(YamlMap& map) {
  const auto given = map.find("regimen");
  if (!given) {
    if (map.lacks("regimen"))
      map.yaml().problem("\"regimen\" is missing: begin with `regimen: 1`, the version of this grammar");
    return;
  }
  if (!given->is_scalar() || given->node().Scalar() != "1")
    given->wrong("1, the version of the grammar that this program reads", ": update the program, or see the changelog");
}

void read_plugins(Reader& reader, YamlMap& map, const PluginAdder& add) {
  const auto given = map.find("plugins");
  if (!given) return;
  for (const Yaml& one : given->one_or_list()) {
    std::string path, sha256;
    if (one.is_map()) {
      YamlMap pinned(one, "a plug-in");
      if (!pinned.read("path", path) && !pinned.has("path"))
        one.problem("\"path\" is missing: write {path: FILE, sha256: …}");
      pinned.read("sha256", sha256);
      pinned.finish();
    } else if (const auto text = one.text()) {
      path = *text;
    }
    if (path.empty()) continue;
    try {
      add(reader.file.parent_path() / path, sha256);
    } catch (const Error& e) {
      one.problem(e.what());
    }
  }
}

void read_stages(Reader& reader, YamlMap& map) {
  const auto given = map.find("stages");
  if (!given || !given->is_list() || given->node().size() == 0) {
    if (!map.lacks("stages") && !given) return;
    (given ? *given : map.yaml())
        .problem("\"stages\" should be a list of at least one stage: stages: [{name: …, strategy: …}]");
    return;
  }
  for (const YAML::Node& node : given->node()) {
    std::string name;
    if (node.IsMap())
      for (const auto& pair : node)
        if (pair.first.Scalar() == "name" && pair.second.IsScalar()) name = pair.second.Scalar();
    reader.stage_names.push_back(name);
  }
  size_t index = 0;
  for (const YAML::Node& node : given->node()) {
    Stage stage = read_stage(reader, Yaml(node, "", reader.problems), index++);
    reader.stages.push_back(std::move(stage));
  }
}

// How many, and what joins them: either this program starts the processes, or a launcher has.
void read_processes(Reader& reader, YamlMap& map, Pipeline& out) {
  int64_t processes = 0;
  if (map.read("processes", processes, 1, most_processes)) out.processes = processes;
  if (const auto given = map.find("collective")) out.collective = read_choice(reader, *given, RGM_KIND_COLLECTIVE);
  if (!out.collective || !out.collective->component) return;
  const bool launched = is_started_by_launcher(*out.collective);
  if (launched && out.processes)
    map.key("processes")
        .problem(fmt::format("\"processes\" has them started here, but collective \"{0}\" joins those that a launcher "
                             "has started: leave \"processes\" out and give the launcher the number, as in mpirun -n "
                             "{1} regimen run {2}; or leave the collective out",
                             out.collective->id, *out.processes, reader.file.filename().string()));
  if (!launched && !map.has("processes"))
    map.key("collective")
        .problem(fmt::format("collective \"{}\" joins processes that are started here: say how many, as in "
                             "processes: 2",
                             out.collective->id));
}

void require_row_for_each(const Stage& stage, int64_t processes) {
  if (!stage.strategy.component->table<rgm_strategy>().loss) return;
  const auto place = stage.places.find(stage.places.contains("batch") ? "batch" : "");
  require_enough_rows(place == stage.places.end() ? stage.name : fmt::format("{}: {}", place->second, stage.name),
                      stage.batch, processes);
}

// Does the tree give this backend or collective already, with options that the command line should keep?
bool gives(const YAML::Node& root, const std::string& key, const std::string& id) {
  if (!root.IsMap()) return false;
  for (const auto& pair : root)
    if (pair.first.Scalar() == key && pair.second.IsMap() && pair.second.size() == 1)
      return (*pair.second.begin()).first.Scalar() == id;
  return false;
}

YAML::Node overridden(YAML::Node root, const ReadOptions& options, Citations& citations, Problems& problems) {
  std::vector<Override> all = parse_overrides(options.set, problems);
  for (const Override& one : all) root.reset(with_override(root, one, citations, problems));
  const std::pair<std::string, const std::optional<std::string>&> flags[] = {
      {"backend", options.backend}, {"collective", options.collective}, {"processes", options.processes}};
  for (const auto& [key, value] : flags)
    if (value && !gives(root, key, *value))
      root.reset(with_override(root, {fmt::format("--{} {}", key, *value), key, *value}, citations, problems));
  return root;
}

}  // namespace

Pipeline read_pipeline(const fs::path& file, const ReadOptions& options, const ComponentFinder& find,
                       const PluginAdder& add_plugin) {
  const std::string text = read_file(file);
  Problems problems(file.string());
  Citations citations(static_cast<int>(std::count(text.begin(), text.end(), '\n')));
  const auto raise = [&] {
    if (!problems.empty()) throw Error(RGM_INVALID, citations.text(problems));
  };
  YAML::Node root = parse_yaml(text, problems);
  if (!root.IsDefined()) raise();
  if (!root.IsDefined() || root.IsNull()) {
    problems.add(YAML::Mark(), "the file is empty: a pipeline begins with `regimen: 1` and has a list of stages");
    raise();
  }
  root.reset(overridden(root, options, citations, problems));

  Pipeline out;
  out.file = file;
  out.name = file.stem().string();
  Reader reader{file, problems, citations, find, {}, {}};
  YamlMap map(Yaml(root, "", problems), "a pipeline");
  if (!root.IsMap()) raise();
  read_version(map);
  map.read("name", out.name);
  if (out.name.empty() || out.name.find_first_of(std::string_view("/\0", 2)) != std::string::npos ||
      out.name.starts_with('.'))
    map.key("name").problem(
        "\"name\" names a folder for the results: it should be a word without \"/\" that does not begin with \".\"");
  int64_t seed = 0;
  if (map.read("seed", seed, 0)) out.seed = static_cast<uint64_t>(seed);
  read_plugins(reader, map, add_plugin);
  if (const auto backend = map.find("backend")) out.backend = read_choice(reader, *backend, RGM_KIND_BACKEND);
  read_processes(reader, map, out);
  read_stages(reader, map);
  map.finish();
  raise();
  out.stages = std::move(reader.stages);
  for (const Stage& stage : out.stages) require_row_for_each(stage, out.processes.value_or(1));
  return out;
}

Pipeline read_pipeline(const fs::path& file, const ReadOptions& options, Registry& registry) {
  return read_pipeline(
      file, options, [&](int kind, const std::string& id) -> const Component& { return registry.find(kind, id); },
      [&](const fs::path& plugin, const std::string& sha256) { registry.add(plugin, sha256); });
}

}  // namespace rgm
