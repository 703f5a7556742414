// open_model.cpp - tokenizers, model folders, and what of a model is trained.
#include "pipeline/open_model.hpp"

#include <algorithm>
#include <set>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "data/content_hash.hpp"
#include "pipeline/added_tokens.hpp"
#include "pipeline/open_adapter.hpp"
#include "pipeline/open_stage.hpp"
#include "pipeline/taken_model.hpp"

namespace rgm {
namespace {

bool is_model(const fs::path& folder) { return fs::exists(folder / "config.json"); }

int64_t size_or(const ModelSpec& spec, const char* key, int64_t otherwise) {
  const auto found = spec.sizes.find(key);
  return found == spec.sizes.end() ? otherwise : found->second;
}

// Of a run's folder: which of its stages have left a model.
std::vector<std::string> stages_in(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (is_model(entry.path() / "model") || fs::is_directory(entry.path() / "adapter"))
      out.push_back(entry.path().string());
  std::ranges::sort(out);
  return out;
}

}  // namespace

ModelPlace model_place(const fs::path& given) {
  if (is_model(given)) return {given, {}};
  if (is_model(given / "model"))
    return {given / "model", fs::is_directory(given / "adapter") ? adapter_folders(given) : std::vector<fs::path>()};
  if (!fs::exists(given)) invalid("{}: there is no such folder; --model takes a stage's folder", given.string());
  // A stage that trained an adapter keeps no copy of the base: the adapter says where that lies.
  if (fs::is_directory(given / "adapter")) {
    ModelPlace place{"", adapter_folders(given)};
    const fs::path file = place.adapters[0] / "adapter_config.json";
    const auto config = parse_json(read_file(file), file.string());
    const std::string base = config.is_object() ? config.value("base_model_name_or_path", "") : "";
    place.model = fs::path(base).is_absolute() ? fs::path(base) : place.adapters[0] / base;
    if (!base.empty() && is_model(place.model)) return place;
    // A run that was moved: its stages still lie side by side.
    const fs::path beside = given.parent_path() / place.model.parent_path().filename() / place.model.filename();
    if (!base.empty() && is_model(beside)) return {beside, place.adapters};
    invalid("{}: the base model \"{}\" is not there; give its folder with --model, and this one with --adapter",
            file.string(), base);
  }
  if (const auto stages = stages_in(given); !stages.empty())
    invalid("{}: has no model, but folders inside it have one: name one of {}", given.string(), join(stages));
  if (fs::exists(given / "rows.jsonl"))
    invalid("{}: has no model: the stage that left this folder trained nothing, and wrote {}", given.string(),
            (given / "rows.jsonl").string());
  invalid("{}: has no model: expected config.json in it, or in a model/ inside it", given.string());
}

ModelPlace place_of(const ModelSpec& spec, const Surroundings& around) {
  if (spec.from_stage.empty()) return model_place(spec.from_folder);
  const fs::path folder = around.run / spec.from_stage;
  require(is_model(folder / "model") || fs::is_directory(folder / "adapter"),
          "stage \"{0}\" has left no model in {1}: run it first, with --only {0} or without --only", spec.from_stage,
          folder.string());
  if (is_model(folder / "model")) return model_place(folder);
  // It trained an adapter on a base of its own; what it holds includes the adapters before it.
  for (const Stage& stage : around.pipeline.stages)
    if (stage.name == spec.from_stage) return {place_of(stage.model, around).model, adapter_folders(folder)};
  return model_place(folder);
}

ModelConfig config_of(const ModelSpec& spec, int64_t vocabulary) {
  ModelConfig config;
  config.family = &family(spec.family);
  config.layers = size_or(spec, "layers", config.layers);
  config.heads = size_or(spec, "heads", config.heads);
  config.kv_heads = size_or(spec, "kv_heads", config.heads);
  config.channels = size_or(spec, "channels", config.channels);
  config.head_dim = config.channels / config.heads;
  config.hidden = size_or(spec, "hidden", usual_hidden(*config.family, config.channels));
  config.context = size_or(spec, "context", config.context);
  config.vocabulary = size_or(spec, "vocabulary", vocabulary);
  if (const auto found = spec.reals.find("dropout"); found != spec.reals.end()) config.dropout = found->second;
  config.tied = spec.tied;
  begin_new(config);
  return config;
}

namespace {

// All of the files, the held-out part too: a character that occurs only there needs an id as well.
TokenizerPtr learn_characters(const DataSpec& train, const std::vector<ColumnWish>& wishes) {
  std::set<char32_t> found;
  const auto see = [&](std::string_view text) {
    for (const char32_t c : code_points(text)) found.insert(c);
  };
  each_text(train, nullptr, see, wishes);
  require(!found.empty(), "{}: is empty, and the tokenizer \"characters\" needs text to learn from",
          all_files(train)[0].string());
  return character_tokenizer({found.begin(), found.end()});
}

TokenizerPtr learn_bpe(const DataSpec& train, const std::vector<ColumnWish>& wishes, int64_t vocabulary) {
  BpeTrainer trainer({.vocabulary = vocabulary});
  const TokenizerPtr words = train_bpe("", {.vocabulary = 257});  // without merges: pieces end between words
  each_text(
      train, words.get(), [&](std::string_view text) { trainer.add(text); }, wishes);
  return trainer.train();
}

// One that was kept, written last of its folder; other ids than those it was learned with would pass for the same.
constexpr const char* sum_file = "SHA256";

std::string sum_of_kept(const fs::path& folder) {
  return sha256(sha256(read_file(folder / "tokenizer.json")) + sha256(read_file(folder / "tokenizer_config.json")));
}

TokenizerPtr kept_tokenizer(const fs::path& folder) {
  if (!fs::exists(folder / sum_file)) return nullptr;
  try {
    if (read_file(folder / sum_file) == sum_of_kept(folder)) return load_tokenizer(folder);
  } catch (const Error&) {}  // a file of it is gone or torn
  const log::OfWork told;
  log::warning("{} is damaged and is made again", folder.string());
  return nullptr;
}

}  // namespace

TokenizerPtr make_tokenizer(const TokenizerSpec& spec, const DataSpec* train, const std::vector<ColumnWish>& wishes,
                            const fs::path& cache) {
  if (spec.kind == "from") return load_tokenizer(spec.from);
  if (spec.kind == "bytes") return byte_tokenizer();
  require(train != nullptr, "tokenizer \"{}\" learns from the training data: add data: {{train: …}}", spec.kind);
  std::string what = fmt::format("{} {}", spec.kind, spec.vocabulary);
  for (const ColumnWish& wish : wishes)
    if (wish.kind == RGM_TOKENS_COLUMN) what += " " + wish.name;
  for (const DataSpec& part : parts_of(*train)) {
    what += fmt::format(" {} {}", part.format, content_hash(part.files, cache));
    for (const ColumnMap& c : part.columns) {
      what += fmt::format(" {}={} {}", c.column, c.prompt.value_or(""), c.from);
      if (c.chat) what += c.chat->template_name;
      if (c.chat && !c.chat->template_file.empty()) what += sha256(read_file(c.chat->template_file));
    }
  }
  const fs::path kept = cache / ("tokenizer-" + sha256(what).substr(0, 16));
  if (TokenizerPtr before = cache.empty() ? nullptr : kept_tokenizer(kept)) return before;
  TokenizerPtr tokenizer =
      spec.kind == "characters" ? learn_characters(*train, wishes) : learn_bpe(*train, wishes, spec.vocabulary);
  if (!cache.empty()) {
    fs::create_directories(kept);
    save_tokenizer(*tokenizer, kept);
    write_file(kept / sum_file, sum_of_kept(kept));
  }
  return tokenizer;
}

void require_same_tokens(const std::string& what, const Model& its, const Model& policy) {
  const Tokenizer &one = *its.tokenizer(), &other = *policy.tokenizer();
  if (&one == &other) return;
  const std::vector<std::string> its_pieces = one.pieces(), pieces = other.pieces();
  if (its_pieces.size() >= pieces.size() && std::equal(pieces.begin(), pieces.end(), its_pieces.begin())) return;
  if (its_pieces.size() < pieces.size() && std::equal(its_pieces.begin(), its_pieces.end(), pieces.begin()))
    invalid(
        "{}: its model lacks tokens that the model being trained has: {}; use one that was trained with them (a "
        "reference that is left out is the model itself as the stage begins)",
        what, names_of(std::span(pieces).subspan(its_pieces.size())));
  invalid(
      "{}: its model has a different tokenizer ({} tokens) from the model being trained ({}), whose tokens it would "
      "read; use one that comes from the same base",
      what, one.vocabulary(), other.vocabulary());
}

std::shared_ptr<Model> take_model(const ModelSpec& spec, const Surroundings& around, const NarrowWeights& narrow) {
  if (around.planned && !spec.from_stage.empty()) {
    const Model& like = *around.planned->at(spec.from_stage);
    return Model::create(like.config(), like.tokenizer(), around.pipeline.seed, narrow);
  }
  return Model::open(place_of(spec, around).model, narrow);
}

namespace {

// A new head where the pipeline asks for one that the model does not have already.
std::shared_ptr<Model> with_head(std::shared_ptr<Model> model, const ModelSpec& spec, uint64_t seed) {
  const ModelConfig& have = model->config();
  if (!spec.head_outputs || (*spec.head_outputs == have.outputs && spec.head_labels == have.labels)) return model;
  require(*spec.head_outputs > 0, "{}: the model was saved as a classifier, without its head over tokens",
          spec.from_folder.empty() ? spec.from_stage : spec.from_folder.string());
  model->add_head(*spec.head_outputs, spec.head_labels, seed);
  return model;
}

// The names that `trainable:` means, of a model of `layers` with or without a head over tokens beside its embedding.
std::vector<std::string> trained_patterns(const Stage& stage, bool scores, bool own_head, int64_t layers) {
  const std::string& kind = stage.trainable_kind;
  const std::string head = scores ? "score.*" : "head.*";
  if (kind == "all") return {"*"};
  // A head of the model's own is trained beside an adapter, as nobody else would.
  if (kind == "adapter") return scores ? std::vector{head} : std::vector<std::string>();
  // A tied head is the embedding.
  if (kind == "head") return {scores || own_head ? head : "embedding.weight"};
  if (kind != "last") return stage.trainable_names;
  std::vector<std::string> out = {"norm.*", head};
  for (int64_t i = std::max<int64_t>(0, layers - stage.trainable_last); i < layers; ++i)
    out.push_back(fmt::format("layers.{}.*", i));
  return out;
}

NarrowWeights::Form form_of(const std::string& type) {
  return type == "nf4" ? NarrowWeights::Form::nf4 : NarrowWeights::Form::bfloat16;
}

// Of the policy, before it is opened: what `trainable:` leaves frozen.
NarrowWeights narrow_policy(const Stage& stage) {
  if (stage.weights == "float32" || !stage.strategy.component->table<rgm_strategy>().loss) return narrow_weights(stage);
  const auto frozen = [&stage](const std::string& name, const ModelConfig& config) {
    const bool scores = stage.model.head_outputs.value_or(config.outputs) > 0;
    const auto patterns = trained_patterns(stage, scores, !scores && !config.is_tied(), config.layers);
    return std::ranges::none_of(patterns, [&](const std::string& pattern) { return matches(pattern, name); });
  };
  return NarrowWeights(frozen, form_of(stage.weights));
}

}  // namespace

NarrowWeights narrow_weights(const std::string& type) {
  return type == "float32" ? NarrowWeights() : NarrowWeights::all(form_of(type));
}
NarrowWeights narrow_weights(const Stage& stage) { return narrow_weights(stage.weights); }

std::shared_ptr<Model> make_model(const Stage& stage, const DataSpec* train, uint64_t seed,
                                  const Surroundings& around) {
  const ModelSpec& spec = stage.model;
  const NarrowWeights narrow = narrow_policy(stage);
  if (!spec.from_stage.empty() || !spec.from_folder.empty()) {
    const auto taken = spec.merged ? take_merged(stage, around, narrow) : take_model(spec, around, narrow);
    add_tokens(stage, *taken);
    return with_head(taken, spec, seed);
  }
  const TokenizerPtr tokenizer =
      make_tokenizer(stage.tokenizer, train, wishes_of(stage)[main_source_of(stage)], around.cache);
  if (stage.tokenizer.kind == "bpe" && tokenizer->vocabulary() < stage.tokenizer.vocabulary)
    log::warning("the text has too few different pairs for {} tokens: the vocabulary is {}", stage.tokenizer.vocabulary,
                 tokenizer->vocabulary());
  const ModelConfig config = config_of(spec, tokenizer->vocabulary());
  require(config.vocabulary >= tokenizer->vocabulary(),
          "stage \"{}\": the tokenizer has {} tokens, and model: {{vocabulary: {}}} has no room for them; write at "
          "least as many, or leave it out",
          stage.name, tokenizer->vocabulary(), config.vocabulary);
  return with_head(Model::create(config, tokenizer, seed, narrow), spec, seed);
}

void freeze(Parameters& all) {
  for (Parameter& p : all.all())
    if (!p.buffer) all.set_trained(p, false);
}
void freeze(Model& model) {
  freeze(model.parameters());
  freeze(model.extra());
}

void select_trained(const Stage& stage, Model& model) {
  Parameters& all = model.parameters();
  const std::string& kind = stage.trainable_kind;
  require(kind != "last" || stage.trainable_last <= model.config().layers,
          "stage \"{}\": trainable: {{last: {}}}, and the model has {} layers; `all` trains them all", stage.name,
          stage.trainable_last, model.config().layers);
  const std::vector<std::string> patterns =
      trained_patterns(stage, all.find("score.weight"), all.find("head.weight"), model.config().layers);
  std::vector<bool> used(patterns.size(), false);
  std::vector<std::string> names;
  for (Parameter& p : all.all()) {
    names.push_back(p.name);
    if (p.buffer) continue;
    bool trained = false;
    for (size_t i = 0; i < patterns.size(); ++i)
      if (matches(patterns[i], p.name)) trained = used[i] = true;
    all.set_trained(p, trained);
  }
  if (kind != "names") return;
  for (size_t i = 0; i < patterns.size(); ++i)
    if (!used[i])
      invalid("stage \"{}\": trainable: no parameter matches \"{}\"{}; names look like \"{}\"", stage.name, patterns[i],
              did_you_mean(patterns[i], names), names.empty() ? "" : names.back());
}

}  // namespace rgm
