// read_model.cpp - the model of a stage: made anew from a family and sizes, or taken from an earlier stage or a folder;
// its tokenizer; the models in other roles.
#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "pipeline/open_model.hpp"
#include "pipeline/reader.hpp"

namespace rgm {
namespace {

fs::path beside(const Reader& reader, const std::string& name) { return reader.file.parent_path() / name; }

void read_sizes(YamlMap& map, ModelSpec& out) {
  struct Size {
    const char* key;
    int64_t max;
    bool required;
  };
  constexpr Size sizes[] = {{"layers", 1000, true},        {"heads", 4096, true},
                            {"channels", 1 << 20, true},   {"context", int64_t{1} << 24, true},
                            {"kv_heads", 4096, false},     {"hidden", 1 << 22, false},
                            {"vocabulary", 1 << 24, false}};
  std::vector<std::string> missing;
  for (const Size& size : sizes) {
    int64_t n = 0;
    if (map.read(size.key, n, 1, size.max))
      out.sizes[size.key] = n;
    else if (size.required && map.lacks(size.key))
      missing.emplace_back(size.key);
  }
  if (!missing.empty()) map.yaml().problem(fmt::format("a new model also needs {}", join(missing)));
  double dropout = 0;
  if (map.read("dropout", dropout, single_share)) out.reals["dropout"] = dropout;
  bool tied = false;
  if (map.read("tied", tied)) out.tied = tied;
  read_experts(map, out);

  const auto size = [&](const char* key) { return out.sizes.count(key) ? out.sizes.at(key) : 0; };
  if (size("channels") && size("heads") && size("channels") % size("heads"))
    map.find("channels")
        ->problem(fmt::format("{} channels cannot be shared by {} heads: channels should be a multiple of heads",
                              size("channels"), size("heads")));
  if (size("kv_heads") && size("heads") && size("heads") % size("kv_heads"))
    map.find("kv_heads")
        ->problem(fmt::format("{} heads cannot share {} kv_heads: heads should be a multiple of kv_heads",
                              size("heads"), size("kv_heads")));
}

void read_tokenizer(Reader& reader, YamlMap& stage, Stage& out) {
  const auto given = stage.find("tokenizer");
  const bool anew = out.model.from_stage.empty() && out.model.from_folder.empty();
  if (!given) {
    if (anew) out.tokenizer.kind = "bytes";
    return;
  }
  out.tokenizer.given = true;
  if (!anew) {
    stage.key("tokenizer")
        .problem(
            "a model taken from elsewhere already has its tokenizer: leave this out; special tokens are added to it "
            "with model: {from: …, add_tokens: […]}");
    return;
  }
  const auto named = read_named(*given, "tokenizer");
  if (!named) return;
  out.tokenizer.kind = named->id;
  const std::vector<std::string> kinds = {"bytes", "characters", "bpe", "from"};
  if (!std::count(kinds.begin(), kinds.end(), named->id)) {
    named->place.problem(not_known("tokenizer", named->id, kinds));
  } else if (named->id == "from") {
    const auto name = named->options.text();
    if (!name) return;
    out.tokenizer.from = beside(reader, *name);
    std::error_code error;
    if (!fs::exists(out.tokenizer.from, error))
      named->options.problem(
          fmt::format("there is no {}: expected a folder with tokenizer.json, relative to the pipeline",
                      out.tokenizer.from.string()));
    else if (fs::is_directory(out.tokenizer.from, error) && !fs::exists(out.tokenizer.from / "tokenizer.json", error) &&
             !fs::exists(out.tokenizer.from / "tokenizer.model", error))
      named->options.problem(
          fmt::format("{} has neither a tokenizer.json nor a tokenizer.model in it", out.tokenizer.from.string()));
  } else if (named->id == "bpe") {
    out.tokenizer.vocabulary = 1024;
    if (named->options.node().IsNull()) return;
    YamlMap map(named->options, "bpe");
    map.read("vocabulary", out.tokenizer.vocabulary, 257, 10'000'000);  // the 256 bytes and the end of text
    map.finish();
  } else if (!named->options.node().IsNull()) {
    named->options.problem(fmt::format("tokenizer \"{}\" has no options", named->id));
  }
}

// `language`, `scalar`, or `{classify: {labels: [names]}}`
void read_head(const Yaml& given, ModelSpec& out) {
  const auto named = read_named(given, "head");
  if (!named) return;
  const std::vector<std::string> kinds = {"language", "scalar", "classify"};
  if (!std::count(kinds.begin(), kinds.end(), named->id)) {
    named->place.problem(not_known("head", named->id, kinds));
    return;
  }
  out.head_outputs = named->id == "scalar" ? 1 : 0;
  if (named->id != "classify") {
    if (!named->options.node().IsNull()) named->options.problem(fmt::format("head \"{}\" has no options", named->id));
    return;
  }
  const char* const example = "head: {classify: {labels: [negative, positive]}}";
  if (named->options.node().IsNull()) {
    named->place.problem(fmt::format("a head that classifies needs labels: {}", example));
    return;
  }
  YamlMap map(named->options, "classify");
  if (const auto labels = map.find("labels")) {
    out.head_labels = labels->texts();
    out.head_outputs = static_cast<int64_t>(out.head_labels.size());
    const std::set<std::string> different(out.head_labels.begin(), out.head_labels.end());
    if (out.head_labels.size() < 2)
      labels->problem(fmt::format("at least 2 labels are needed, there are {}: {}", out.head_labels.size(), example));
    else if (different.size() < out.head_labels.size())
      labels->problem("a label is given twice");
  } else if (map.lacks("labels")) {
    named->options.problem(fmt::format("\"labels\" is missing: {}", example));
  }
  map.finish();
}

ModelSpec read_taken(Reader& reader, YamlMap& map) {
  const auto [stage, folder] = read_from(reader, *map.find("from"), Wanted::model);
  ModelSpec out;
  out.from_stage = stage;
  out.from_folder = folder;
  if (folder.empty()) return out;
  try {
    model_place(folder);
  } catch (const std::exception& e) {  // of the file system too
    map.find("from")->problem(e.what());
  }
  return out;
}

bool folder_has_adapter(const fs::path& folder) {
  try {
    return !model_place(folder).adapters.empty();
  } catch (const std::exception&) {
    return true;  // what is wrong with it has been said
  }
}

// Why nothing can be merged, as far as it is known before anything is opened; empty: it can be.
std::string why_not_merged(const Reader& reader, const ModelSpec& spec) {
  const std::string from = spec.from_stage.empty() ? spec.from_folder.string() : spec.from_stage;
  bool has_adapter = from.empty();  // which has been said
  for (const ModelSpec* at = &spec;;) {
    if (!at->from_folder.empty()) has_adapter |= folder_has_adapter(at->from_folder);
    const auto stage = std::ranges::find(reader.stages, at->from_stage, &Stage::name);
    if (at->from_stage.empty() || stage == reader.stages.end()) break;
    if (stage->ensemble > 1)
      return fmt::format("stage \"{}\" leaves an ensemble, and no one model has all of its adapters", stage->name);
    has_adapter |= !trains(*stage);  // which has been said, too
    for (const Choice& adapter : stage->adapters) {
      has_adapter = true;
      if (!adapter.component) continue;
      try {
        require_mergeable(adapter.id, adapter.component->table<rgm_adapter>(), "leave \"merged\" out");
      } catch (const Error& e) {
        return e.what();
      }
    }
    if (stage->model.merged) break;
    at = &stage->model;
  }
  return has_adapter ? "" : fmt::format("{} has no adapter that could be merged: leave \"merged\" out", from);
}

void read_merged(const Reader& reader, YamlMap& map, Stage& out) {
  ModelSpec& model = out.model;
  if (!map.read("merged", model.merged) || !model.merged) return;
  if (const std::string why = why_not_merged(reader, model); !why.empty()) map.key("merged").problem(why);
  const bool taken = !model.from_stage.empty() || !model.from_folder.empty();
  for (const Choice& adapter : out.adapters)
    if (taken && adapter.from_stage == model.from_stage && adapter.from_folder == model.from_folder)
      map.key("merged").problem(fmt::format(
          "adapter \"{}\" starts as the one that is merged, which would act twice: leave one of the two out",
          adapter.id));
}

// Special tokens that the tokenizer of a model that is taken gets.
void read_added_tokens(YamlMap& map, Stage& out) {
  const auto given = map.find("add_tokens");
  if (!given) return;
  std::vector<std::string>& names = out.model.add_tokens;
  names = given->texts();
  if (given->is_list() && given->node().size() == 0)
    given->problem("no token is named: write add_tokens: [\"<|im_start|>\", \"<|im_end|>\"], or leave it out");
  std::set<std::string> different;
  for (const std::string& name : names) {
    if (name.empty())
      given->problem("a token without text cannot be added");
    else if (!different.insert(name).second)
      given->problem(fmt::format("the token \"{}\" is given twice", name));
  }
  if (out.strategy.component && !trains(out))
    map.key("add_tokens")
        .problem(fmt::format("strategy \"{}\" trains nothing, and a new token means nothing before it was trained: add "
                             "it in a stage that trains, and take the model from there",
                             out.strategy.id));
}

}  // namespace

bool trains(const Stage& stage) {
  return stage.strategy.component && stage.strategy.component->table<rgm_strategy>().loss;
}

From read_from(Reader& reader, const Yaml& yaml, Wanted wanted) {
  const auto name = yaml.text();
  if (!name) return {};
  std::vector<std::string> earlier;
  for (const Stage& stage : reader.stages) {
    if (stage.name != *name) {
      earlier.push_back(stage.name);
      continue;
    }
    if (stage.strategy.component && !trains(stage))
      yaml.problem(fmt::format("stage \"{}\" leaves rows, but a {} is needed here: strategy \"{}\" trains nothing",
                               stage.name, wanted == Wanted::model ? "model" : "model that scores", stage.strategy.id));
    return {stage.name, {}};
  }
  const std::string before = earlier.empty() ? "there is none before this one" : "before this one: " + join(earlier);
  const auto& all = reader.stage_names;
  const fs::path folder = beside(reader, *name);
  std::error_code error;
  if (fs::is_directory(folder, error)) return {{}, folder};
  if (std::count(all.begin(), all.end(), *name))
    yaml.problem(fmt::format(
        "\"{}\" is {}: stages run in order, {}", *name,
        all.size() > reader.stages.size() && all[reader.stages.size()] == *name ? "this stage itself" : "a later stage",
        before));
  else
    yaml.problem(fmt::format(
        "\"{}\" is neither an earlier stage ({}) nor a folder (looked for {}){}", *name, before, folder.string(),
        name->find('/') != std::string::npos ? "; nothing is downloaded: put the model's folder there, or name another"
                                             : did_you_mean(*name, earlier)));
  return {};
}

void read_model(Reader& reader, YamlMap& stage, Stage& out) {
  const auto given = stage.find("model");
  if (!given) {
    if (stage.lacks("model"))
      stage.yaml().problem(
          fmt::format("stage \"{}\" has no \"model\": write {{family: …}} with sizes, or {{from: STAGE or "
                      "DIR}}",
                      out.name));
    stage.find("tokenizer");
    return;
  }
  YamlMap map(*given, "a model");
  const auto head = map.find("head");
  if (map.has("from") && map.has("family")) {
    map.key("family").problem("\"family\" makes a new model, \"from\" takes an existing one: leave one of them out");
    map.find("family");
  }
  if (map.has("from")) {
    out.model = read_taken(reader, map);
    read_merged(reader, map, out);
    read_added_tokens(map, out);
  } else if (given->is_map()) {
    if (map.find("add_tokens"))
      map.key("add_tokens")
          .problem("\"add_tokens\" is of a model that is taken: write {from: STAGE or DIR, add_tokens: […]}");
    if (map.find("merged"))
      map.key("merged").problem("\"merged\" is of a model that is taken: write {from: STAGE or DIR, merged: true}");
    if (!map.choose("family", out.model.family, family_ids()) && map.lacks("family"))
      given->problem("\"family\" is missing: write {family: …} with sizes, or {from: STAGE or DIR}");
    read_sizes(map, out.model);
  }
  if (head) read_head(*head, out.model);
  map.finish();
  read_tokenizer(reader, stage, out);
}

void read_roles(Reader& reader, YamlMap& stage, Stage& out) {
  std::vector<std::string> has;
  if (out.strategy.component)
    for (const rgm_role* const* r = out.strategy.component->table<rgm_strategy>().roles; *r; ++r)
      has.emplace_back((*r)->name);
  std::vector<std::string> all = {"reference", "teacher", "critic"};
  for (const std::string& role : has)
    if (!std::count(all.begin(), all.end(), role)) all.push_back(role);
  for (const std::string& role : all) {
    const bool is_known = std::count(has.begin(), has.end(), role);
    if (!is_known && !stage.has(role)) continue;
    const auto given = stage.find(role);
    if (!given) continue;
    if (out.strategy.component && !is_known) {
      stage.key(role).problem(fmt::format("strategy \"{}\" uses no \"{}\"{}", out.strategy.id, role,
                                          has.empty() ? "" : "; it uses: " + join(has)));
      continue;
    }
    YamlMap map(*given, "a role");
    if (map.has("from"))
      out.roles[role] = read_taken(reader, map);
    else if (given->is_map())
      given->problem(fmt::format("\"{}\" should be {{from: STAGE or DIR}}", role));
    map.finish();
  }
}

}  // namespace rgm
