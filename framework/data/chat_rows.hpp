// chat_rows.hpp - rows that hold a conversation or an instruction, under the names that data sets of this kind have.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "data/row.hpp"
#include "data/source.hpp"
#include "text/chat.hpp"

namespace rgm {

// The conversation in a row: of `map.from`, as {role, content} or ShareGPT's {from, value}, behind those of
// `map.prompt`, or what the user says there, where it has one; or an instruction with its output, as Alpaca has them.
// `asked` gets the number of messages that are of the prompt. RGM_INVALID beginning with `where`.
Messages messages_of(const Row& row, const ColumnMap& map, const std::string& where, size_t* asked = nullptr);

// What the row has for the template beside its messages: `tools` (a list, or one as a text of JSON), `documents`, and
// the members of `chat_template_kwargs`, as TRL hands them on. RGM_INVALID beginning with `where`.
Row beside_messages(const Row& row, const std::string& where);

// How the first row of a file without `column` has it all the same: "messages" or "conversations"; "instruction" and
// "output"; "prompt" with "completion" or "response". Nothing where it has none of these.
std::optional<ColumnMap> recognised(const Row& row, const std::string& column);
// The same of a file that has `column`, an answer or a conversation, where "prompt" stands in front of it. An answer
// may begin with its prompt all the same, as the completions that a stage writes do: StoredColumn::add_tokens.
std::optional<ColumnMap> recognised_answer(const Row& row, const std::string& column);

// For a log line: `conversations in "messages", of which "assistant" counts`
std::string description(const ColumnMap& map);

// The template that the map names, or the tokenizer's. RGM_INVALID where there is none.
ChatTemplate chat_template_for(const ColumnMap& map, const Tokenizer& tokenizer);

}  // namespace rgm
