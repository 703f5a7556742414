// choice_rows.hpp - questions with answers to choose from, of which one is right: rows in the layouts that tests of
// this kind have.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/row.hpp"
#include "data/source.hpp"
#include "text/chat.hpp"

namespace rgm {

struct ChoiceQuestion {
  std::string prompt;  // a conversation as its template writes it, up to where the assistant begins to speak
  std::vector<std::string> choices;
  size_t right = 0;
  std::string separator = " ";           // between the prompt and a choice
  std::optional<std::string> then = {};  // behind every choice, which then is part of the prompt: it alone is scored
  std::string where = {};                // its row's, for messages
  const std::string& scored(size_t choice) const { return then ? *then : choices[choice]; }
};

// What they are read from: `prompt`, `choices`, `answer` and `then`.
const std::vector<ColumnWish>& choice_columns();

// Rows of all parts, in order, as far as `begin`, `end` and `rows` go. `prompt`, `answer` and `then` map to a column or
// to a Jinja template over the row; `choices` to a column (a list of texts, or {text: [...], label: [...]}), or to
// several columns, templates or texts. What is not mapped is found by its usual names. The answer is a number from 0, a
// choice's text, its label, or a letter. `template_for` is asked once, if prompts are conversations: a list of
// messages, or by the map. RGM_INVALID: file:line and what is wrong with it.
using ChoiceCall = std::function<void(ChoiceQuestion question, const Row& row)>;
void each_choice_question(const DataSpec& spec, const std::function<ChatTemplate(const ColumnMap&)>& template_for,
                          const ChoiceCall& see);

// Whether a row whose columns nobody has named holds such a question.
bool is_choice_row(const Row& row);

// Which of the choices the value means. RGM_INVALID beginning with `where`.
size_t right_choice(const Row& value, const std::vector<std::string>& choices, const std::vector<std::string>& labels,
                    const std::string& where);

}  // namespace rgm
