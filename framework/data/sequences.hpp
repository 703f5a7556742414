// sequences.hpp - the rows of a file as sequences of tokens that a model is held against, without the batches and the
// shuffling of a source.
#pragma once
#include <functional>

#include "data/batch.hpp"
#include "data/row.hpp"
#include "data/source.hpp"
#include "text/chat.hpp"

namespace rgm {

// The whole of a text; of other formats row by row what is found as in training: `text`, of which every token counts;
// an answer behind its prompt, where only the answer does; a conversation, of which the assistant's words do. An answer
// ends with the tokenizer's end of text, as it was learned with it. `spec.columns` may name `text`, and with `prompt`
// what stands in front of it. `template_for` is asked for a conversation's template once. `see` gets weights only where
// not every token counts, and the row (null of a text). RGM_INVALID: file:line and what is wrong with it.
using SequenceCall = std::function<void(TokenExample tokens, const Row& row, const std::string& where)>;
using TemplateCall = std::function<ChatTemplate(const ColumnMap& map)>;
void each_sequence(const DataSpec& spec, const Tokenizer& tokenizer, const TemplateCall& template_for,
                   const SequenceCall& see);

}  // namespace rgm
