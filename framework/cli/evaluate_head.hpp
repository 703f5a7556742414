// evaluate_head.hpp - `regimen evaluate` of a model with a head of its own: how well it predicts the labels or numbers
// of a file, or what it predicts where the file has none.
#pragma once
#include <string>

#include "cli/evaluated_rows.hpp"
#include "cli/trained_model.hpp"
#include "data/source.hpp"

namespace rgm::cli {

// Prints what came out, as JSON if `json`; the rows get what the model says. `chat_template`: of conversations; empty:
// the tokenizer's own.
void evaluate_head(DataSpec spec, const TrainedModel& model, const std::string& chat_template, EvaluatedRows& rows,
                   bool json);

}  // namespace rgm::cli
