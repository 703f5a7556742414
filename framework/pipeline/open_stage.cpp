// open_stage.cpp - opens what a stage names, in the order it depends on each other: model, adapters, rewards, data.
#include "pipeline/open_stage.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "host/follower.hpp"
#include "pipeline/added_tokens.hpp"
#include "pipeline/data_sources.hpp"
#include "pipeline/device.hpp"
#include "pipeline/open_adapter.hpp"
#include "pipeline/open_reward.hpp"
#include "pipeline/row_room.hpp"
#include "pipeline/taken_model.hpp"
#include "plugins/options.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

// Every model that the stage reads: with what precision it does.
void set_precision(const Stage& stage, OpenedStage& out) {
  if (stage.precision != "bfloat16") return;
  out.model->use_bfloat16();
  for (auto& [name, handle] : out.train->roles)
    if (handle.model->dtype() != RGM_BF16) handle.model->use_bfloat16();
  for (const Reward& reward : out.train->rewards)
    if (reward.model && reward.model->dtype() != RGM_BF16) reward.model->use_bfloat16();
}

void add_own(const Stage& stage, const Surroundings& around, const Model& model, Adapters& to) {
  for (const Choice& choice : stage.adapters)
    to.add(choice.id, choice.component->table<rgm_adapter>(), *choice.config,
           starts_as_another(choice) && !around.planned
               ? start_values(start_of(choice, around.run), choice.id, *choice.config, model, around.registry)
               : std::map<std::string, Tensor>(),
           choice.component->path);
}

// Of the stage's own adapters; those that the base was trained with come first and stay as they are.
std::unique_ptr<Adapters> attached(const Stage& stage, uint64_t seed, const Surroundings& around,
                                   const std::shared_ptr<Model>& model) {
  auto out = std::make_unique<Adapters>(model, seed);
  for (const fs::path& folder : adapters_of(stage.model, around))
    add_saved_adapter(*out, folder, *model, around.registry);
  if (!stage.adapters.empty() || stage.trainable_kind != "adapter") freeze(out->parameters());
  add_own(stage, around, *model, *out);
  return out;
}

// Those of the policy; of an ensemble a set for each member.
void open_adapters(const Stage& stage, uint64_t seed, const Surroundings& around, OpenedStage& out) {
  const std::vector<fs::path> earlier = adapters_of(stage.model, around);
  if (earlier.empty() && stage.adapters.empty()) return;
  for (const fs::path& folder : earlier) take_saved_chat(folder, *out.model);
  // A head that the pipeline asks for is a new one.
  if (!stage.model.head_outputs)
    for (const fs::path& folder : earlier) take_saved_head(folder, *out.model);
  for (const Choice& choice : stage.adapters)
    for (const fs::path& folder : earlier)
      require(saved_adapter_plugin(folder, around.registry).data->id != choice.id, "{}",
              second_adapter(stage, choice.id, folder.string()));
  if (stage.ensemble > 1) {
    require(earlier.empty(), "stage \"{}\": an ensemble needs a model without adapters, but {} comes with some",
            stage.name, earlier.empty() ? "" : earlier[0].string());
    out.ensemble = std::make_unique<RowAdapters>(out.model);
    out.ensemble->deal();
    for (int64_t m = 1; m <= stage.ensemble; ++m) {
      auto member = std::make_unique<Adapters>(out.model, mix(seed, static_cast<uint64_t>(m)));
      add_own(stage, around, *out.model, *member);
      out.ensemble->add(std::to_string(m), std::move(member));
    }
    return;
  }
  out.adapters = attached(stage, seed, around, out.model);
}

// Models beside the policy. The reference makes itself when it is not given.
void open_roles(const Stage& stage, const Surroundings& around, OpenedStage& out) {
  out.train->roles["policy"] = {out.model, false, false};
  if (stage.follows_policy)
    out.train->copy_policy = [&stage, around, seed = out.train->seed, policy = out.model,
                              adapters = out.adapters.get()](Follower& copy) {
      const auto attach = [&](const std::shared_ptr<Model>& to) { return attached(stage, seed, around, to); };
      return copy_of_policy(policy, adapters, attach, copy);
    };
  for (const rgm_role* const* r = stage.strategy.component->table<rgm_strategy>().roles; *r; ++r) {
    const std::string name = (*r)->name;
    const auto given = stage.roles.find(name);
    const bool follows = stage.follows_policy && ((*r)->flags & RGM_FOLLOWS) != 0;
    if (follows) out.train->followers[name] = {};
    if (follows && given == stage.roles.end()) continue;  // it is a copy of the policy
    if (const auto earlier = adapters_of(stage.model, around);
        given == stage.roles.end() && name == "reference" && !earlier.empty()) {
      // The policy as it is now has the earlier adapters: taking all of them off would be the base before them.
      out.train->open_reference = [&stage, around] {
        const TakenModel taken = take_frozen(stage.model, around, narrow_weights(stage));
        if (stage.precision == "bfloat16" && taken.model->dtype() != RGM_BF16) taken.model->use_bfloat16();
        return rgm_model{taken.model, false, true, taken.adapters};
      };
      continue;
    }
    if (given == stage.roles.end() && name == "reference" && !((*r)->flags & RGM_OPTIONAL) &&
        std::ranges::any_of(stage.adapters, starts_as_another))
      log::warning(
          "stage \"{}\": the adapter continues an earlier one, and the reference is the model without it; write "
          "reference: {{from: ...}} to compare with another",
          stage.name);
    if (given == stage.roles.end()) {
      require(name == "reference" || name == "policy" || ((*r)->flags & RGM_OPTIONAL),
              "stage \"{}\": strategy \"{}\" needs a \"{}\": add {}: {{from: STAGE or DIR}}", stage.name,
              stage.strategy.id, name, name);
      continue;
    }
    const bool trains = (*r)->flags & RGM_TRAINED;
    const std::string what = fmt::format("stage \"{}\": {}", stage.name, name);
    const TakenModel taken =
        trains ? TakenModel{take_to_train(what, given->second, around), nullptr}
               : take_frozen(given->second, around, follows ? NarrowWeights() : narrow_weights(stage));
    require_same_tokens(what, *taken.model, *out.model);
    if (follows)
      out.train->followers[name] =
          named_follower(what, *taken.model, taken.adapters != nullptr, *out.model, !out.adapter_sets().empty());
    if (trains) out.trained[name] = taken.model;
    out.train->roles[name] = {taken.model, false, !trains, taken.adapters};
  }
}

// What a head learns is read with that head alone, and then has to be there; what the pipeline names is read in any
// case.
void fit_to_head(const DataSpec& data, int64_t outputs, std::vector<ColumnWish>& wishes) {
  std::erase_if(wishes, [&](ColumnWish& wish) {
    const bool is_number = wish.flags & RGM_OF_HEAD, is_label = wish.kind == RGM_LABEL_COLUMN;
    if (!is_number && !is_label) return false;
    const bool learns = is_number ? outputs == 1 : outputs > 1;
    if (learns) wish.flags &= ~uint32_t{RGM_OPTIONAL};
    return !learns && std::ranges::none_of(parts_of(data), [&](const DataSpec& part) {
      return std::ranges::find(part.columns, wish.name, &ColumnMap::column) != part.columns.end();
    });
  });
}

void open_sources(const Stage& stage, const Surroundings& around, const RowRoom& room, OpenedStage& out) {
  const auto wishes = wishes_of(stage);
  const std::string main = main_source_of(stage);
  const auto& strategy = stage.strategy.component->table<rgm_strategy>();
  const bool rolls_out = strategy.rollout;
  // A model to compare with has no prompt, so it predicts no first token.
  bool compares = false;
  for (const rgm_role* const* r = strategy.roles; *r; ++r) compares |= std::string_view((*r)->name) != "policy";
  const bool predicts_first = out.model->front().prompt > 0 && out.model->config().outputs == 0 && !compares;
  for (const auto& [name, ignored] : stage.data) {
    const auto found = wishes.find(name == "validation" ? main : name);
    if (found == wishes.end()) continue;
    // A head of the model's own reads the state of every token. transformers adds no end of text in front of it.
    const ModelConfig& model = out.model->config();
    std::vector<ColumnWish> wish = found->second;
    for (ColumnWish& column : wish)
      if (model.outputs > 0 && column.kind == RGM_TOKENS_COLUMN) column.flags |= RGM_STATES;
    fit_to_head(stage.data.at(name), model.outputs, wish);
    // Where the data is the beginning of an answer, no end of text may follow it.
    const bool is_main = name == main || name == "validation";
    const bool is_continued =
        rolls_out && is_main && std::ranges::none_of(wish, [](const ColumnWish& w) { return w.flags & RGM_WHOLE; });
    if (is_continued && std::ranges::any_of(wish, [](const ColumnWish& w) { return w.kind == RGM_TOKENS_COLUMN; }))
      require_text(*out.model,
                   fmt::format("stage \"{}\": strategy \"{}\" continues prompts", stage.name, stage.strategy.id));
    const SourceOptions options{.context = room.policy,
                                .cache = around.cache,
                                .labels = model.labels,
                                .outputs = model.outputs,
                                .predicts_first = predicts_first,
                                .end_of_text = !is_continued && model.outputs == 0,
                                .by_length = room.by_length};
    const DataSpec data = data_of(stage, name, around.run);
    // What comes from further sources, the policy reads.
    out.setup.sources[name] = is_main
                                  ? open_for_all(stage, data, wish, out.model->tokenizer(), options, room, is_continued)
                                  : open_source(data, wish, out.model->tokenizer(), options);
    // The model goes on to be spoken to as it was taught.
    const auto own = chat_template_of(*out.model->tokenizer());
    if (std::string chat = out.setup.sources[name]->chat_template();
        !chat.empty() && name == main && !(own && own->source() == chat))
      out.model->set_chat_template(std::move(chat));
  }
}

void add_store(OpenedStage& out, Parameters& store) { out.setup.parameters.push_back(&store); }

// What is only read at the end is looked at now: a night's training must not end in a mistake of the prompt.
void check_sample(const Stage& stage, const Model& model) {
  if (stage.sample_prompt.empty() || !stage.strategy.component->table<rgm_strategy>().loss) return;
  require_text(model, fmt::format("{}: sample", stage.name));
  try {
    require(!model.tokenizer()->encode(stage.sample_prompt).empty(), "the prompt has no tokens");
  } catch (const Error& e) {
    invalid("{}: sample: {}", stage.name, e.what());
  }
}

}  // namespace

std::string second_adapter(const Stage& stage, const std::string& id, const std::string& first) {
  return fmt::format(
      "stage \"{0}\": its model comes with an adapter \"{1}\" ({2}), and a second one of that name cannot be added to "
      "it: continue the first, as in adapter: {{{1}: {{...}}, from: ...}} on the model that it was made for, or fold "
      "it into the weights first, with model: {{from: ..., merged: true}}",
      stage.name, id, first);
}

std::string main_source_of(const Stage& stage) {
  const Sources sources = sources_of(stage, nullptr);
  for (const std::string& name : sources.main_names)
    if (stage.data.count(name)) return name;
  return sources.main;
}

std::map<std::string, std::vector<ColumnWish>> wishes_of(const Stage& stage) {
  Sources sources = sources_of(stage, nullptr);
  auto main = sources.wishes.extract(sources.main);
  if (main) {
    main.key() = main_source_of(stage);
    sources.wishes.insert(std::move(main));
  }
  return sources.wishes;
}

bool starts_as_another(const Choice& adapter) { return !adapter.from_stage.empty() || !adapter.from_folder.empty(); }
fs::path start_of(const Choice& adapter, const fs::path& run) {
  return adapter.from_stage.empty() ? adapter.from_folder : run / adapter.from_stage;
}

DataSpec data_of(const Stage& stage, const std::string& source, const fs::path& run) {
  DataSpec spec = stage.data.at(source);
  for (DataSpec& part : parts_of(spec)) {
    if (part.from_stage.empty()) continue;
    const fs::path rows = run / part.from_stage / "rows.jsonl";
    require(fs::exists(rows), "stage \"{0}\" has left no rows in {1}: run it first, with --only {0} or without --only",
            part.from_stage, rows.string());
    part.files = {rows};
  }
  return spec;
}

std::vector<Adapters*> OpenedStage::adapter_sets() const {
  std::vector<Adapters*> out;
  if (adapters) out.push_back(adapters.get());
  if (ensemble)
    for (const auto& member : ensemble->sets()) out.push_back(member.get());
  return out;
}
int64_t OpenedStage::parameters() const {
  int64_t n = model->parameters().count() + model->extra().count();
  for (Adapters* set : adapter_sets()) n += set->parameters().count();
  return n;
}
uint64_t OpenedStage::parameter_bytes() const {
  uint64_t n = model->parameters().bytes() + model->extra().bytes();
  for (Adapters* set : adapter_sets()) n += set->parameters().bytes();
  return n;
}
int64_t OpenedStage::trained_parameters() const {
  int64_t n = 0;
  for (const Parameters* store : setup.parameters) n += store->trained_count();
  return n;
}
bool OpenedStage::base_is_frozen() const { return model->parameters().trained_count() == 0; }

OpenedStage open_stage(const Stage& stage, size_t index, const Surroundings& around, bool with_data) {
  const uint64_t seed = mix(around.pipeline.seed, index);
  const std::string main = main_source_of(stage);
  OpenedStage out;
  if (stage.precision == "bfloat16")
    require_bfloat16(fmt::format("stage \"{}\": precision: bfloat16", stage.name), "write precision: float32");
  std::optional<DataSpec> train;
  if (stage.data.count(main)) train = data_of(stage, main, around.run);
  out.model = make_model(stage, train ? &*train : nullptr, seed, around);
  out.train = std::make_unique<rgm_train>();
  open_adapters(stage, seed, around, out);
  const bool trains = stage.strategy.component->table<rgm_strategy>().loss;
  if (trains)
    select_trained(stage, *out.model);
  else
    freeze(*out.model);
  require_trained_rows(stage, *out.model);

  out.train->seed = seed;
  out.train->stage = stage.name;
  out.train->policy = out.model;
  out.train->adapters = !out.adapter_sets().empty();
  require(out.model->config().context > out.model->virtual_tokens(),
          "{}: {} virtual tokens stand before the text, and the model's context is {}: no room is left for the text; "
          "ask the adapter for fewer, or use a model with a larger context",
          stage.name, out.model->virtual_tokens(), out.model->config().context);
  out.train->tokenizer = {out.model->tokenizer()};
  for (const auto& [source, wishes] : wishes_of(stage))
    for (ColumnWish wish : wishes) {
      if (source != main) wish.name = source + "." + wish.name;
      out.train->wishes.push_back(std::move(wish));
    }
  open_roles(stage, around, out);
  open_rewards(stage, around, *out.train);
  set_precision(stage, out);
  out.model->recompute = stage.recompute;
  for (const auto& trained : out.trained) trained.second->recompute = stage.recompute;
  const RowRoom room = row_room(stage, *out.train);
  out.train->context = room.least;
  out.train->length = stage.length;
  out.train->by_length = room.is_least_by_length();
  for (auto& [name, handle] : out.train->roles) handle.length = stage.length;
  if (with_data) open_sources(stage, around, room, out);

  add_store(out, out.model->parameters());
  add_store(out, out.model->extra());
  for (Adapters* set : out.adapter_sets()) add_store(out, set->parameters());
  for (const auto& [name, model] : out.trained) {
    add_store(out, model->parameters());
    add_store(out, model->extra());
  }
  out.setup.settings = stage;
  out.setup.strategy = &stage.strategy.component->table<rgm_strategy>();
  out.setup.config = stage.strategy.config.get();
  out.setup.strategy_id = stage.strategy.id;
  out.setup.strategy_name = plugin_name("strategy", stage.strategy.id, stage.strategy.component->path);
  out.setup.train = out.train.get();
  out.setup.main_source = main;
  out.setup.folder = around.run / stage.name;
  out.setup.flops_per_token = out.model->flops_per_token(out.train->context);
  check_sample(stage, *out.model);
  return out;
}

}  // namespace rgm
