// evaluate_head.cpp - a classifier against its labels, a head over one number against values; or without either.
#include "cli/evaluate_head.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "data/rows.hpp"
#include "generate/label_counts.hpp"
#include "generate/score.hpp"
#include "text/chat.hpp"

namespace rgm::cli {
namespace {

// What the command has to say, in the order in which it says it.
using Json = nlohmann::ordered_json;

// A label without a name is its number.
std::string name_of(size_t label, const ModelConfig& config) {
  return config.labels.empty() ? std::to_string(label) : config.labels[label];
}

// A prompt stands in front of the text, as a pipeline says in `columns: {text: {prompt: ..., answer: ...}}`.
void join_prompt(DataSpec& spec) {
  const auto prompt = std::ranges::find(spec.columns, std::string("prompt"), &ColumnMap::column);
  if (prompt == spec.columns.end()) return;
  const std::string from = prompt->from;
  spec.columns.erase(prompt);
  auto text = std::ranges::find(spec.columns, std::string("text"), &ColumnMap::column);
  if (text == spec.columns.end()) text = spec.columns.insert(text, {"text", "text", std::nullopt});
  text->prompt = from;
}

// Whether the rows have the column: all or none of them. A name that was given and that no row has is left to whoever
// reads it, who knows the others.
bool rows_have(const std::string& column, const DataSpec& spec, const std::vector<std::string>& labels) {
  const auto given = std::ranges::find(spec.columns, column, &ColumnMap::column);
  const bool is_given = given != spec.columns.end();
  const std::string name = is_given ? given->from : column;
  const bool may_be_empty = std::ranges::find(labels, std::string()) != labels.end();  // a label of that name
  std::string first_without;
  int64_t with = 0, all = 0;
  bool is_there = false;
  each_row(spec.files.at(0), spec.format, {columns_by_number(spec), spec.separator},
           [&](Row& row, const std::string& where) {
             const auto found = row.find(name);
             const bool has = found != row.end() && !found->is_null() && (may_be_empty || *found != "");
             is_there |= found != row.end();
             with += has;
             ++all;
             if (!has && first_without.empty()) first_without = where;
           });
  if (with == 0 && (is_there || !is_given)) {
    log::info("{}: no row has a \"{}\", so nothing is compared{}", spec.files[0].string(), name,
              is_there ? "" : fmt::format("; if another column holds it, add --column {}=NAME", column));
    return false;
  }
  require(with == 0 || with == all,
          "{}: has no \"{}\", but {} of the {} rows have one: add it, or leave it out of every row, and nothing is "
          "compared",
          first_without, name, with, all);
  return true;
}

// What a row gets.
Json said_of(std::span<const float> outputs, size_t predicted, const ModelConfig& config) {
  if (outputs.size() == 1) return {{"predicted", outputs[0]}};
  const std::vector<double> p = probabilities(outputs);
  Json of_labels = Json::object();
  for (size_t i = 0; i < p.size(); ++i) of_labels[name_of(i, config)] = p[i];
  return {{"predicted", config.labels.empty() ? Json(predicted) : Json(config.labels[predicted])},
          {"probability", p[predicted]},
          {"probabilities", of_labels}};
}

Json matrix_of(const LabelCounts& counts) {
  Json out = Json::array();
  for (size_t i = 0; i < counts.labels() && !counts.matrix_row(i).empty(); ++i)
    out.push_back(std::vector<int64_t>(counts.matrix_row(i).begin(), counts.matrix_row(i).end()));
  return out;
}

Json labels_of(const LabelCounts& counts, const ModelConfig& config) {
  Json out = Json::object();
  for (size_t i = 0; i < counts.labels(); ++i) {
    const LabelScore s = counts.score(i);
    out[name_of(i, config)] = {{"precision", s.precision}, {"recall", s.recall}, {"f1", s.f1}, {"support", s.support}};
  }
  return out;
}

std::string count(int64_t n) { return count_for_people(static_cast<uint64_t>(n)); }

void print_labels(const LabelCounts& counts, const ModelConfig& config) {
  fmt::print("macro F1    {:.4f}\n\n", counts.macro_f1());
  std::vector<std::vector<std::string>> table = {{"label", "precision", "recall", "F1", "support"}};
  const auto share = [](double x) { return fmt::format("{:.4f}", x); };
  for (size_t i = 0; i < counts.labels(); ++i) {
    const LabelScore s = counts.score(i);
    table.push_back({name_of(i, config), share(s.precision), share(s.recall), share(s.f1), count(s.support)});
  }
  fmt::print("{}", table_for_people(table));
  if (counts.labels() > LabelCounts::most_in_matrix) return;
  table = {{"label"}};
  for (size_t i = 0; i < counts.labels(); ++i) {
    table[0].push_back(name_of(i, config));
    table.push_back({name_of(i, config)});
    for (const int64_t n : counts.matrix_row(i)) table.back().push_back(count(n));
  }
  fmt::print("\nconfusion matrix: a line per label, a column per predicted label\n{}", table_for_people(table));
}

void print_scored(const Score& score, const LabelCounts& counts, const ModelConfig& config, bool json) {
  const bool is_of_labels = config.outputs > 1;
  Json out = {{"loss", score.mean_loss()}, {"examples", score.count}};
  if (is_of_labels) {
    out["accuracy"] = score.accuracy();
    out["macro_f1"] = counts.macro_f1();
    out["labels"] = labels_of(counts, config);
    if (const Json matrix = matrix_of(counts); !matrix.empty()) out["confusion_matrix"] = matrix;
  }
  if (json) return fmt::print("{}\n", out.dump());
  fmt::print("loss        {:.6g}\nexamples    {} scored\n", score.mean_loss(), count(score.count));
  if (!is_of_labels) return;
  fmt::print("accuracy    {:.4f}, standard error {:.4f}\n", score.accuracy(), score.accuracy_error());
  print_labels(counts, config);
}

// Of data that says nothing itself.
void print_predicted(int64_t examples, double sum, const LabelCounts& counts, const ModelConfig& config, bool json) {
  const double mean = sum / static_cast<double>(examples);
  Json predicted = {{"mean", mean}};
  if (config.outputs > 1) {
    predicted = Json::object();
    for (size_t i = 0; i < counts.labels(); ++i) predicted[name_of(i, config)] = counts.predicted(i);
  }
  if (json) return fmt::print("{}\n", Json{{"examples", examples}, {"predicted", predicted}}.dump());
  fmt::print("examples    {}\n", count(examples));
  if (config.outputs == 1) return fmt::print("predicted   {:.6g} on average\n", mean);
  std::vector<std::vector<std::string>> table = {{"label", "predicted"}};
  for (size_t i = 0; i < counts.labels(); ++i) table.push_back({name_of(i, config), count(counts.predicted(i))});
  fmt::print("\n{}", table_for_people(table));
}

}  // namespace

void evaluate_head(DataSpec spec, const TrainedModel& model, const std::string& chat_template, EvaluatedRows& rows,
                   bool json) {
  TokenizerPtr tokenizer = model->tokenizer();
  if (!chat_template.empty())
    tokenizer = with_chat_template(tokenizer, chat_template_for(chat_template, "", *tokenizer).source());
  const ModelConfig& config = model->config();
  const bool classifies = config.outputs > 1;
  const std::string truth = classifies ? "label" : "value";
  std::vector<ColumnWish> wishes = {{"text", RGM_TOKENS_COLUMN, RGM_STATES}};
  join_prompt(spec);
  // Plain text has no columns, which is for the source to say.
  const bool is_scored = spec.format == "text" || rows_have(truth, spec, config.labels);
  if (is_scored)
    wishes.push_back({truth, classifies ? RGM_LABEL_COLUMN : RGM_REAL_COLUMN, 0});
  else
    std::erase_if(spec.columns, [&](const ColumnMap& map) { return map.column == truth; });
  SourceOptions options{.context = config.context - model->virtual_tokens(),
                        .cache = {},
                        .labels = config.labels,
                        .outputs = config.outputs,
                        .end_of_text = false};
  if (rows.are_wanted()) options.see = [&](const Row& row) { rows.add(row); };
  const auto source = open_source(spec, wishes, tokenizer, options);
  LabelCounts counts(static_cast<size_t>(config.outputs));
  double sum = 0;
  size_t example = 0;
  const Score score = score_examples(*model, *source, [&](const ScoredExample& e) {
    const auto best = static_cast<size_t>(std::ranges::max_element(e.outputs) - e.outputs.begin());
    if (classifies)
      counts.add(best, e.truth ? std::optional(static_cast<size_t>(*e.truth)) : std::nullopt);
    else
      sum += e.outputs[0];
    if (rows.are_wanted()) rows.say(example, said_of(e.outputs, best, config));
    ++example;
  });
  rows.write();
  if (is_scored)
    print_scored(score, counts, config, json);
  else
    print_predicted(score.rows, sum, counts, config, json);
}

}  // namespace rgm::cli
