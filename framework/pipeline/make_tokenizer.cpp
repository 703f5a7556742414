// make_tokenizer.cpp - a stage's tokenizer: opened, or learned from the training data and kept for the next time.
#include <set>

#include "base/log.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "data/content_hash.hpp"
#include "pipeline/open_model.hpp"

namespace rgm {
namespace {

// All of the files, the held-out part too: a character that occurs only there needs an id as well.
TokenizerPtr learn_characters(const DataSpec& train, const std::vector<ColumnWish>& wishes) {
  std::set<char32_t> found;
  const auto see = [&](std::string_view text) {
    for (const char32_t c : code_points(text)) found.insert(c);
  };
  each_text(train, nullptr, see, wishes);
  require(!found.empty(), "{}: is empty, and the tokenizer \"characters\" needs text to learn from",
          all_files(train)[0].string());
  return character_tokenizer({found.begin(), found.end()});
}

TokenizerPtr learn_bpe(const DataSpec& train, const std::vector<ColumnWish>& wishes, int64_t vocabulary) {
  BpeTrainer trainer({.vocabulary = vocabulary});
  const TokenizerPtr words = train_bpe("", {.vocabulary = 257});  // without merges: pieces end between words
  each_text(
      train, words.get(), [&](std::string_view text) { trainer.add(text); }, wishes);
  return trainer.train();
}

// One that was kept, written last of its folder; other ids than those it was learned with would pass for the same.
constexpr const char* sum_file = "SHA256";

std::string sum_of_kept(const fs::path& folder) {
  return sha256(sha256(read_file(folder / "tokenizer.json")) + sha256(read_file(folder / "tokenizer_config.json")));
}

TokenizerPtr kept_tokenizer(const fs::path& folder) {
  if (!fs::exists(folder / sum_file)) return nullptr;
  try {
    if (read_file(folder / sum_file) == sum_of_kept(folder)) return load_tokenizer(folder);
  } catch (const Error&) {}  // a file of it is gone or torn
  const log::OfWork told;
  log::warning("{} is damaged and is made again", folder.string());
  return nullptr;
}

}  // namespace

TokenizerPtr make_tokenizer(const TokenizerSpec& spec, const DataSpec* train, const std::vector<ColumnWish>& wishes,
                            const fs::path& cache) {
  if (spec.kind == "from") return load_tokenizer(spec.from);
  if (spec.kind == "bytes") return byte_tokenizer();
  require(train != nullptr, "tokenizer \"{}\" learns from the training data: add data: {{train: …}}", spec.kind);
  std::string what = fmt::format("{} {}", spec.kind, spec.vocabulary);
  for (const ColumnWish& wish : wishes)
    if (wish.kind == RGM_TOKENS_COLUMN) what += " " + wish.name;
  for (const DataSpec& part : parts_of(*train)) {
    what += fmt::format(" {} {}", part.format, content_hash(part.files, cache));
    for (const ColumnMap& c : part.columns) {
      what += fmt::format(" {}={} {}", c.column, c.prompt.value_or(""), c.from);
      if (c.chat) what += c.chat->template_name;
      if (c.chat && !c.chat->template_file.empty()) what += sha256(read_file(c.chat->template_file));
    }
  }
  const fs::path kept = cache / ("tokenizer-" + sha256(what).substr(0, 16));
  if (TokenizerPtr before = cache.empty() ? nullptr : kept_tokenizer(kept)) return before;
  TokenizerPtr tokenizer =
      spec.kind == "characters" ? learn_characters(*train, wishes) : learn_bpe(*train, wishes, spec.vocabulary);
  if (!cache.empty()) {
    fs::create_directories(kept);
    save_tokenizer(*tokenizer, kept);
    write_file(kept / sum_file, sum_of_kept(kept));
  }
  return tokenizer;
}

}  // namespace rgm
