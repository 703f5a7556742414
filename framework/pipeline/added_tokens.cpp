// added_tokens.cpp - a model gets special tokens, and what has to be trained then.
#include "pipeline/added_tokens.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace rgm {

std::string names_of(std::span<const std::string> tokens) {
  constexpr size_t most = 8;
  const std::span<const std::string> shown = tokens.first(std::min(tokens.size(), most));
  const std::string more = tokens.size() > most ? fmt::format(" and {} more", tokens.size() - most) : "";
  return fmt::format("{}{}", fmt::join(shown, ", "), more);
}

void add_tokens(const std::string& what, const ModelSpec& spec, Model& model) {
  if (spec.add_tokens.empty()) return;
  try {
    model.add_tokens(spec.add_tokens);
  } catch (const Error& e) {
    throw Error(e.status(), fmt::format("{}: add_tokens: {}", what, e.what()));
  }
}

void add_tokens(const Stage& stage, Model& model) {
  const int64_t rows_before = model.config().vocabulary;
  add_tokens(fmt::format("stage \"{}\": model", stage.name), stage.model, model);
  std::vector<std::string> added, known;
  for (const std::string& name : stage.model.add_tokens) {
    const bool is_new = std::ranges::find(model.new_tokens(), name) != model.new_tokens().end();
    (is_new ? added : known).push_back(fmt::format("{} ({})", name, model.tokenizer()->specials().at(name)));
  }
  const int64_t rows = model.config().vocabulary;
  if (!added.empty())
    log::info("stage {}: the tokenizer gets {}; the embedding {}", stage.name, names_of(added),
              rows > rows_before ? fmt::format("has {} rows instead of {}", rows, rows_before)
                                 : fmt::format("has spare rows for them, and keeps its {}", rows));
  if (!known.empty()) log::info("stage {}: the tokenizer has {} already", stage.name, names_of(known));
}

void require_trained_rows(const Stage& stage, const Model& model) {
  if (model.new_tokens().empty()) return;
  std::vector<std::string> needed, frozen;
  const auto need = [&](const char* name) {
    const Parameter* const p = model.parameters().find(name);
    if (!p) return;
    needed.emplace_back(name);
    if (!p->trained) frozen.emplace_back(name);
  };
  const bool is_written = model.config().outputs == 0, is_tied = model.config().is_tied();
  // An adapter of the stage's own at the embedding teaches how a token is read, but not how it is written.
  const bool is_read = !stage.adapters.empty() && model.hooks() && model.hooks()->has_output(model.embedding_site());
  if (!is_read || (is_written && is_tied)) need("embedding.weight");
  if (is_written) need("head.weight");
  require(frozen.empty(),
          "stage \"{}\": model: add_tokens: the rows of {} begin alike, and nothing would train them, as {} {} frozen: "
          "write trainable: {{names: [{}]}}, which may stand beside an adapter, or train all of the model",
          stage.name, names_of(model.new_tokens()), fmt::join(frozen, " and "), frozen.size() > 1 ? "are" : "is",
          join(needed));
}

}  // namespace rgm
