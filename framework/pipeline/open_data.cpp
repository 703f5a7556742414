// open_data.cpp - the sources of a stage's data, as its components wish to read them.
#include <algorithm>

#include "data/chat_rows.hpp"
#include "data/choice_rows.hpp"
#include "generate/choices.hpp"
#include "generate/generate.hpp"
#include "pipeline/data_sources.hpp"
#include "pipeline/open_stage.hpp"
#include "pipeline/row_room.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

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

// What the policy is asked in evaluations, read once; a source of that name may be the strategy's own.
void open_choices(const Stage& stage, const Surroundings& around,
                  const std::map<std::string, std::vector<ColumnWish>>& wishes, OpenedStage& out) {
  if (!stage.data.contains(choices_source) || wishes.contains(choices_source)) return;
  const std::string who = fmt::format("stage \"{}\": the questions of data.{}", stage.name, choices_source);
  require_text(*out.model, who);
  require(stage.ensemble == 1, "{}: an ensemble votes on labels, not on what stands behind a question: leave it out",
          who);
  const Tokenizer& tokenizer = *out.model->tokenizer();
  each_choice_question(
      data_of(stage, choices_source, around.run),
      [&](const ColumnMap& map) { return chat_template_for(map, tokenizer); },
      [&](ChoiceQuestion question, const Row&) { out.setup.choices.push_back(std::move(question)); });
  require_scorable(*out.model, out.setup.choices);
}

}  // namespace

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

void open_sources(const Stage& stage, const Surroundings& around, const RowRoom& room, OpenedStage& out) {
  const auto wishes = wishes_of(stage);
  const std::string main = main_source_of(stage);
  const auto& strategy = stage.strategy.component->table<rgm_strategy>();
  const bool rolls_out = strategy.rollout;
  // A model to compare with has no prompt, so it predicts no first token.
  bool compares = false;
  for (const rgm_role* const* r = strategy.roles; *r; ++r) compares |= std::string_view((*r)->name) != "policy";
  const bool predicts_first = out.model->front().prompt > 0 && out.model->config().outputs == 0 && !compares;
  open_choices(stage, around, wishes, out);
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

}  // namespace rgm
