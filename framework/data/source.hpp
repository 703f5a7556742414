// source.hpp - where batches come from. A source is a pure function from a position to examples, so a shuffle is
// resumed by remembering one number, and sets larger than memory work.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "data/batch.hpp"
#include "data/row.hpp"
#include "text/tokenizer.hpp"

namespace rgm {

// A column that is a conversation: which template makes it a text, and whose words are learned.
struct ChatMap {
  std::vector<std::string> roles = {"assistant"};
  std::string template_name = {};  // chatml ...; empty: that of the tokenizer
  fs::path template_file = {};     // or the Jinja in this file
  bool alpaca = false;             // instruction, input and output instead of messages
};

// How one column of the component is found in the files.
struct ColumnMap {
  std::string column;                 // the component's name for it, such as `text`
  std::string from;                   // the file's name for it, or its number for files without names
  std::optional<std::string> prompt;  // a further column that comes before it and does not count (weights 0)
  std::optional<ChatMap> chat = std::nullopt;
  std::vector<std::string> several = {};  // in place of `from`: columns that are the choices of a question
};

// A data entry of the pipeline, checked: `{text: file}`, `{tsv: file, columns: {...}}`; or a list of them, its parts.
struct DataSpec {
  std::string format;                     // text, jsonl, json, csv, tsv, parquet
  std::vector<fs::path> files;            // found already; folders are walked (sorted, *.txt for text)
  std::vector<ColumnMap> columns;         // empty: by the component's own names
  double split_begin = 0, split_end = 1;  // the share of it that is used: the train part ends where `split` begins
  double split = 0;                       // of what is held out: the share that was asked for
  int64_t rows = 0;                       // at most its first units, as if the files ended there; 0: all
  double share = 0;                       // of a part: of the units that a step draws; 0: as many as it has
  std::string from_stage = {};            // the earlier stage whose rows it is; `files` is empty until it has run
  std::vector<DataSpec> parts = {};       // of a mixture, which itself says nothing more
  char separator = ',';                   // between the fields of a csv
};

// The entries that it consists of: its parts, or itself.
std::span<const DataSpec> parts_of(const DataSpec& spec);
std::span<DataSpec> parts_of(DataSpec& spec);
std::vector<fs::path> all_files(const DataSpec& spec);

// ";", "\t" or any other one character but a quote and a line break; nothing where the text is none.
std::optional<char> read_separator(std::string_view text);

// All columns are given by number: csv and tsv have no line of names.
bool columns_by_number(const DataSpec& spec);

// The TEXT column that stands for every column of the rows.
inline constexpr std::string_view every_column = "*";

// What a component reads, from its rgm_column list.
struct ColumnWish {
  std::string name;
  int32_t kind;
  uint32_t flags;
};
const char* name_of_kind(int32_t kind);  // of a column: "text", "whole numbers"

class Source {
 public:
  virtual ~Source() = default;
  // Units in one epoch: windows of text, examples, or groups of examples where a column is TOGETHER.
  virtual int64_t units() const = 0;
  virtual int64_t tokens() const = 0;  // in one epoch
  // Of these, the ones that count in a loss over tokens: no prompt's, none that the context cuts off.
  virtual int64_t counted() const { return tokens(); }
  // Units [position, position + count) of the endless shuffled sequence of epochs, as one batch; `order_seed` picks the
  // sequence. Never splits a unit.
  virtual Batch batch(int64_t position, int64_t count, uint64_t order_seed) const = 0;
  // Units [begin, end) in the order of the file, each once: for held-out data and for annotating.
  virtual Batch in_order(int64_t begin, int64_t end) const = 0;
  // Unit i of batch() is unit i of in_order(), in every epoch.
  virtual bool has_fixed_units() const { return true; }
  // How many examples a unit has, by its number in in_order() or from unit_at().
  virtual int64_t examples_of(int64_t /*unit*/) const { return 1; }
  // The Jinja of the chat template that made its conversations texts; empty: it has none.
  virtual std::string chat_template() const { return {}; }
  // Of the content: changes when the data does.
  virtual const std::string& sha256() const = 0;
  // Which example of the files unit `position` of the sequence is: where annotations are filed.
  virtual int64_t unit_at(int64_t position, uint64_t order_seed) const = 0;
};

struct SourceOptions {
  int64_t context = 0;  // longest row: text windows have context + 1 tokens, so that each predicts `context` of them
  fs::path cache;       // folder for tokenised text; empty: ids are kept in memory
  std::vector<std::string> labels = {};  // of the model's head, as LABEL columns name them
  int64_t outputs = 0;                   // of that head; 0: there are no LABEL columns
  // A learned prompt stands in front of every example, so that the first token of one is predicted too. Windows of a
  // running text overlap by a token: there it is predicted in the window before.
  bool predicts_first = false;
  bool end_of_text = true;  // ends every example of a TOKENS column; false for prompts that are to be continued
  bool by_length = false;   // `context` is a stage's length, and the model has room for more: for messages
  // Gets the row of every example as it is read, with the one member of each list that the example has of it.
  std::function<void(const Row& row)> see = {};
};

// Text: tokenised once into a file of ids that is mapped, kept by the hash of text and tokenizer; documents of a folder
// are parted by the tokenizer's end of text. The wish is one TOKENS column. In order, windows overlap by one token, so
// every token but the first is predicted exactly once; the last window may be shorter. Shuffled, every epoch starts at
// another offset in [0, context) and walks a keyed permutation of its windows.
// RGM_INVALID: empty file, invalid UTF-8 (with the offset), less than one window.
// A wish with RGM_STATES gets windows of `context` tokens, as hidden states of all of them are wanted.
std::unique_ptr<Source> open_text(const DataSpec& spec, const ColumnWish& wish,
                                  const std::shared_ptr<const Tokenizer>& tokenizer, const SourceOptions& options);
// Rows with columns. A TOKENS column is tokenised text (column.prompt first, with weights 0; end of text is appended
// when the tokenizer has one); INTEGER and REAL are numbers; TEXT is kept. A row whose fields are lists of equal length
// stands for as many examples, what is no list repeated; a TOGETHER column that the file lacks is then the row's
// number. Columns given by number mean that csv and tsv have no line of names. RGM_INVALID: file:line and what is wrong
// with it; a wished column that is missing, with the names there are.
std::unique_ptr<Source> open_columns(const DataSpec& spec, const std::vector<ColumnWish>& wishes,
                                     const std::shared_ptr<const Tokenizer>& tokenizer, const SourceOptions& options);
// One of the two, by spec.format; or a mixture of the spec's parts.
std::unique_ptr<Source> open_source(const DataSpec& spec, const std::vector<ColumnWish>& wishes,
                                    const std::shared_ptr<const Tokenizer>& tokenizer, const SourceOptions& options);

// The text of all files, one after the other and piece by piece: what a tokenizer is trained on, whatever part of it is
// used. UTF-8 checked. Pieces end where `cut` allows it (Tokenizer::stable_prefix), or between characters when it is
// NULL, or where a row ends. Of rows it is what `wishes` read as tokens, conversations as their template shows them;
// where nobody has said what is read, what `spec.columns` map and `text`.
void each_text(const DataSpec& spec, const Tokenizer* cut, const std::function<void(std::string_view text)>& see,
               const std::vector<ColumnWish>& wishes = {});

// A keyed permutation of [0, n): position -> unit, without a table.
int64_t permuted(int64_t position, int64_t n, uint64_t key);

}  // namespace rgm
