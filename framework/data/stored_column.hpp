// stored_column.hpp - one column of a set of examples, as it is kept in memory: ids one after the other, or one value
// an example.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "data/row.hpp"
#include "data/source.hpp"
#include "text/chat.hpp"

namespace rgm {

// How the tokens of an answer or a text end.
enum class Ending {
  as_written,
  ended,  // with an end of text, which the text may have by name already
  cut,    // without one, also where it is there by name
};

// What a value says as a text: itself, or as JSON writes it.
std::string as_text(const Row& value);

struct StoredColumn {
  ColumnWish wish{};
  ColumnMap map{};
  bool is_present = true, may_be_empty = false;
  bool is_missing = false;     // in the first row, and nobody was told yet of a later one that has it
  bool is_recognised = false;  // the map is what the first row shows, and nobody has said it
  int64_t begun = 0;           // answers that began with their prompt
  std::vector<int32_t> ids{};
  std::vector<int64_t> ends{}, uncounted{};  // of every example: where its ids end, how many of them are prompt
  std::vector<uint8_t> counts{};             // of every id of a conversation, whether it counts
  std::vector<size_t> prompts{};             // of every example, equal where what was asked is; 0: nothing was
  std::vector<int32_t> integers{};
  std::vector<float> reals{};
  std::vector<std::string> texts{};

  bool is_tokens() const { return wish.kind == RGM_TOKENS_COLUMN; }
  int64_t begin(int64_t example) const { return example == 0 ? 0 : ends[static_cast<size_t>(example - 1)]; }
  int64_t length(int64_t example) const { return ends[static_cast<size_t>(example)] - begin(example); }
  // Its tokens within the context that are not of a prompt.
  int64_t counted(int64_t example, int64_t context) const;

  // Of a LABEL column: what the labels are called, and how many there are.
  std::vector<std::string> labels{};
  std::shared_ptr<const ChatTemplate> chat = nullptr;  // of a column of conversations
  int64_t outputs = 0;

  bool is_integer() const { return wish.kind == RGM_INTEGER_COLUMN || wish.kind == RGM_LABEL_COLUMN; }

  // The template that its map names, or the tokenizer's.
  void open_chat(const Tokenizer& tokenizer);
  // One more example. `where` begins the message when the value is not what the column holds.
  void add(const Row& value, const std::string& where);
  // The answer behind its prompt, if it has one. What is recognised may have that in front already, and then it is not
  // read twice.
  void add_tokens(const Row& value, const Row* prompt, const Tokenizer& tokenizer, Ending ending,
                  const std::string& where);
  void add_chat(const Row& row, bool for_answer, const Tokenizer& tokenizer, const std::string& where);
  int32_t as_label(const Row& value, const std::string& where) const;
  // An answer that was cut off, as the rows of an earlier stage say it, has no end to be learned; of lists the i-th.
  bool is_cut(const Row& row, size_t i) const;
  // Equal for examples with equal values.
  std::string key(int64_t example) const;
  TokenExample tokens(int64_t example) const;
  // The chosen examples; token columns packed to rows of `length`.
  BatchColumn gather(const std::vector<int64_t>& examples, int64_t length, bool predicts_first) const;
};

}  // namespace rgm
