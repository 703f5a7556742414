// batch.hpp - a batch: E examples in named columns, kept on the host and uploaded when first asked for. Token columns
// are packed: several examples share a row, segments tell them apart.
#pragma once
#include <regimen/abi/train.h>

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.hpp"

namespace rgm {

// One example of a token column, before packing.
struct TokenExample {
  std::vector<int32_t> ids;
  std::vector<float> weights;  // as long as ids: 1 where a token counts
};

enum class ColumnKind { integer, real, text, tokens, per_token };

struct BatchColumn {
  ColumnKind kind = ColumnKind::real;
  std::vector<int32_t> integers{};          // integer (E); of tokens: ids (B, T)
  std::vector<float> reals{};               // real (E); of tokens: weights (B, T); per_token: (B, T)
  std::vector<std::string> texts{};         // text (E)
  std::vector<int32_t> segments{}, ends{};  // of tokens: (B, T) and (E)
  int64_t rows = 0, length = 0;             // of tokens and per_token
};

}  // namespace rgm

// The ABI's opaque batch.
struct rgm_batch {
  int64_t examples = 0;
  std::map<std::string, rgm::BatchColumn, std::less<>> columns;
  // What was uploaded already, by the names that get() takes. Emptied for a column when it is set anew.
  std::map<std::string, rgm::Tensor, std::less<>> uploaded;
};

namespace rgm {

using Batch = rgm_batch;

// Packs examples into rows of at most `length` tokens, in their order, each into the first row with room. An example
// that is longer than `length` is cut there. Rows are as long as the longest one, and where the device captures work up
// to a multiple of 128, but not beyond `length`; padding has id 0, segment 0, weight 0. The first token of an example
// gets weight 0, as nothing precedes it, unless it `predicts_first`: then total("text.weights") counts what is
// predicted.
BatchColumn pack(std::span<const TokenExample> examples, int64_t length, bool predicts_first = false);

// `name`, `name.segments`, `name.weights`, `name.ends`, integer and real columns, and what was set. An empty handle
// when there is no such column. The same handle again at the next call.
Tensor column(Batch& batch, std::string_view name);
bool has_column(const Batch& batch, std::string_view name);
// To end a message on a column that is not there: a near name among those of numbers or of texts, and all of them.
std::string other_columns(const Batch& batch, std::string_view name, bool texts = false);
// Writes the column into a tensor that column() answered for another batch of the same layout.
void upload_again(const Batch& batch, std::string_view name, const Tensor& to);
// The same text for batches whose columns have the same names, kinds and shapes.
std::string layout_of(const Batch& batch);
// The value has shape (E), or (B, T) of the token column that `name` begins with, as in `completion.advantages`.
// Downloads it: the host's copy is what is cut, repacked and saved. RGM_INVALID when the shape fits neither.
void set_column(Batch& batch, std::string_view name, const Tensor& value);
const std::string& text_of(const Batch& batch, std::string_view name, int64_t example);
void set_text(Batch& batch, std::string_view name, int64_t example, std::string_view text);
// The one token column, or the first by name; empty when there is none.
std::string first_tokens(const Batch& batch);
// Every token column, by name.
std::vector<std::string> token_columns(const Batch& batch);
// The token column that `name` begins with, as `completion` for `completion.advantages`; empty when there is none.
std::string tokens_of(const Batch& batch, std::string_view name);

// The chosen examples in the given order, every token column and what hangs on it repacked to rows of `length`.
Batch select(const Batch& batch, std::span<const int64_t> examples, int64_t length);
// All examples of batches with the same columns: of example e, `order` says which batch's next one it is. Rows stay as
// they were packed, those of one batch behind those of the one before, padded to the longest.
Batch joined(std::span<const Batch* const> batches, const std::vector<int32_t>& order);
// Every example `times` times over, as whole copies of the batch one behind the other: example e of copy m is example
// m E + e. An integer column `member` says which copy each one is of; those of `together`, whose equal values keep
// examples together, are numbered anew, apart from copy to copy.
Batch repeated(const Batch& batch, int64_t times, const std::vector<std::string>& together = {});
// Sums for train->total: TOKENS counts examples, `together` columns count different values, any other is added up.
double total(const Batch& batch, std::string_view name, bool together);

// To and from a checkpoint: a description, and arrays by name (written as safetensors by the caller).
struct SavedArray {
  std::string name;
  rgm_dtype dtype;  // F32, I32, or U8 for texts
  std::vector<int64_t> shape;
  std::vector<char> bytes;
};
nlohmann::json save(const Batch& batch, std::vector<SavedArray>& arrays);
Batch load(const nlohmann::json& description, std::span<const SavedArray> arrays);

}  // namespace rgm
