// evaluate_choices.cpp - the choice that a model finds likeliest behind each question, held against the right one.
#include "cli/evaluate_choices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "data/choice_rows.hpp"
#include "data/rows.hpp"
#include "generate/choices.hpp"

namespace rgm::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string shown_count(int64_t n) { return count_for_people(static_cast<uint64_t>(n)); }

void print_choices(const ChoiceScore& score, bool json) {
  const double accuracy = score.accuracy(), normalized = score.accuracy_normalized();
  if (json) {  // an error that is not known is null
    const Json out = {{"questions", score.count},
                      {"accuracy", accuracy},
                      {"accuracy_error", score.error_of(accuracy)},
                      {"accuracy_normalized", normalized},
                      {"accuracy_normalized_error", score.error_of(normalized)},
                      {"loss", score.mean_loss()},
                      {"tokens", score.tokens}};
    return fmt::print("{}\n", out.dump());
  }
  const auto error = [&](double share) {
    return score.count > 1 ? fmt::format(", standard error {:.4f}", score.error_of(share)) : std::string();
  };
  fmt::print("questions            {}\n", shown_count(score.count));
  fmt::print("accuracy             {:.4f}{}\n", accuracy, error(accuracy));
  fmt::print("accuracy_normalized  {:.4f}{}\n", normalized, error(normalized));
  fmt::print("loss                 {:.6g} per token of the right answers, {} tokens\n", score.mean_loss(),
             shown_count(score.tokens));
}

}  // namespace

void read_choices_flag(const std::string& given, DataSpec& spec) {
  auto map = std::ranges::find(spec.columns, std::string("choices"), &ColumnMap::column);
  std::vector<std::string> names;
  const bool is_template = given.find("{{") != given.npos || given.find("{%") != given.npos;
  for (size_t at = 0; at <= given.size();) {
    const size_t end = is_template ? given.size() : std::min(given.find(',', at), given.size());
    names.push_back(given.substr(at, end - at));
    at = end + 1;
  }
  if (map == spec.columns.end()) {
    spec.columns.push_back({"choices", names[0], std::nullopt});
    if (names.size() > 1 || is_template) spec.columns.back().several = names;
    return;
  }
  if (map->several.empty()) map->several = {map->from};
  map->several.insert(map->several.end(), names.begin(), names.end());
}

bool holds_choices(const DataSpec& spec) {
  if (spec.format == "text") return false;
  const auto names = [&](const char* name) {
    return std::ranges::find(spec.columns, std::string(name), &ColumnMap::column) != spec.columns.end();
  };
  if (names("choices")) return true;
  if (names("text") || names("label") || names("value")) return false;
  bool out = false;
  each_row(
      spec.files.at(0), spec.format, {columns_by_number(spec), spec.separator},
      [&](const Row& row, const std::string&) { out = is_choice_row(row); }, [] { return true; });
  return out;
}

void evaluate_choices(DataSpec spec, const TrainedModel& model, const std::string& chat_template, EvaluatedRows& rows,
                      bool json) {
  require(model->config().outputs == 0,
          "evaluate: choices are scored by their tokens, and this model has a head of its own, which predicts none: "
          "name a column label, or use a model that predicts tokens");
  require(!model.by_row(), "evaluate: rows cannot name adapters where they are questions: leave out the name before =");
  if (!chat_template.empty()) {
    auto prompt = std::ranges::find(spec.columns, std::string("prompt"), &ColumnMap::column);
    require(prompt != spec.columns.end(),
            "evaluate: --template is for questions as messages of a user: say which "
            "column is the question, as in --column prompt=question");
    prompt->chat = ChatMap{};
  }
  const auto template_for = [&](const ColumnMap&) {
    return chat_template_for(chat_template == "own" ? "" : chat_template, model.folder().string(), *model->tokenizer());
  };
  std::vector<ChoiceQuestion> questions;
  each_choice_question(spec, template_for, [&](ChoiceQuestion question, const Row& row) {
    questions.push_back(std::move(question));
    rows.add(row);
  });
  ChoiceScore score;
  const auto scored = score_choices(*model, questions, score, [] { stop_if_interrupted("scoring choices"); });
  if (score.cut > 0)
    log::warning("{} of {} questions are longer than the context of {} tokens and lost their beginning", score.cut,
                 score.count, model->config().context);
  for (size_t i = 0; i < scored.size(); ++i)
    rows.say(i, {{"predicted", scored[i].likeliest},
                 {"predicted_normalized", scored[i].likeliest_normalized},
                 {"right", questions[i].right},
                 {"logprobs", scored[i].logprobs},
                 {"choice_tokens", scored[i].tokens}});
  rows.write();
  print_choices(score, json);
}

}  // namespace rgm::cli
