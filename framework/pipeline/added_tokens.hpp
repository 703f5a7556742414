// added_tokens.hpp - `add_tokens` of a model that is taken: special tokens that its tokenizer gets.
#pragma once
#include "pipeline/open_model.hpp"

namespace rgm {

// Gives `model`, which was taken as `spec` says, its tokens. RGM_INVALID, naming `what`, where one cannot be added.
void add_tokens(const std::string& what, const ModelSpec& spec, Model& model);
// The same of a stage's policy, and says what became of them.
void add_tokens(const Stage& stage, Model& model);
// The rows of new tokens, which all begin alike, have to be trained. RGM_INVALID where nothing does.
void require_trained_rows(const Stage& stage, const Model& model);
// The names of the first few, for messages.
std::string names_of(std::span<const std::string> tokens);

}  // namespace rgm
