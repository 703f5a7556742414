// evaluate_choices.hpp - `regimen evaluate` over questions with answers to choose from.
#pragma once
#include <string>

#include "cli/evaluated_rows.hpp"
#include "cli/trained_model.hpp"
#include "data/source.hpp"

namespace rgm::cli {

// By `--column choices=…`, or where nobody has named a column and the first row shows it.
bool holds_choices(const DataSpec& spec);
// What `--column choices=…` says, once or several times: a column, or several of them by commas.
void read_choices_flag(const std::string& given, DataSpec& spec);

// Prints accuracies and loss, writes the rows. With `chat_template` (a name, a file.jinja, or `own`) prompts are what a
// user says.
void evaluate_choices(DataSpec spec, const TrainedModel& model, const std::string& chat_template, EvaluatedRows& rows,
                      bool json);

}  // namespace rgm::cli
