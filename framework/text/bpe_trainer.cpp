// bpe_trainer.cpp - learns the merges: always the most frequent pair, of equals the one with the smallest ids. Counts
// are kept up to date pair by pair, so a merge costs only the words it changes. The same result as Hugging Face's.
#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "text/bpe.hpp"
#include "text/byte_alphabet.hpp"
#include "text/tokenizer.hpp"
#include "text/word_splitter.hpp"

namespace rgm {
namespace {

using Pair = std::pair<int32_t, int32_t>;
struct PairHash {
  size_t operator()(const Pair& p) const {
    return static_cast<size_t>(
        (uint64_t{static_cast<uint32_t>(p.first)} << 32 | static_cast<uint32_t>(p.second)) * 0x9E3779B97F4A7C15U >> 11);
  }
};
struct Word {
  std::vector<int32_t> symbols;
  int64_t count;
};
struct Candidate {
  int64_t count;
  Pair pair;
  bool operator<(const Candidate& o) const { return count != o.count ? count < o.count : pair > o.pair; }
};

// The counts of all pairs, where they occur, and the queue of the most frequent.
class Pairs {
 public:
  explicit Pairs(std::vector<Word> words) : words_(std::move(words)) {
    for (size_t w = 0; w < words_.size(); ++w)
      for (size_t i = 0; i + 1 < words_[w].symbols.size(); ++i)
        change({words_[w].symbols[i], words_[w].symbols[i + 1]}, words_[w].count, w);
    for (const auto& [pair, entry] : entries_) queue_.push({entry.count, pair});
  }

  // The most frequent pair; nothing when no word has two symbols.
  std::optional<Pair> best() {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const int64_t now = entries_[top.pair].count;
      if (now == top.count && now > 0) return top.pair;
      if (now > 0) queue_.push({now, top.pair});  // fewer than when it was queued
    }
    return std::nullopt;
  }

  void merge(const Pair& pair, int32_t merged) {
    std::unordered_set<size_t> where = std::move(entries_[pair].words);
    std::vector<Pair> grown;
    for (const size_t w : where) {
      auto& symbols = words_[w].symbols;
      const int64_t count = words_[w].count;
      size_t kept = 0;  // the word is rewritten in place, and its part before `kept` is done
      for (size_t i = 0; i < symbols.size(); ++i) {
        const bool found = i + 1 < symbols.size() && symbols[i] == pair.first && symbols[i + 1] == pair.second;
        if (!found) {
          symbols[kept++] = symbols[i];
          continue;
        }
        if (kept > 0) {
          change({symbols[kept - 1], pair.first}, -count, w);
          change({symbols[kept - 1], merged}, count, w);
          grown.emplace_back(symbols[kept - 1], merged);
        }
        if (i + 2 < symbols.size()) {
          change({pair.second, symbols[i + 2]}, -count, w);
          change({merged, symbols[i + 2]}, count, w);
          grown.emplace_back(merged, symbols[i + 2]);
        }
        symbols[kept++] = merged;
        ++i;
      }
      symbols.resize(kept);
    }
    entries_[pair].count = 0;
    std::ranges::sort(grown);
    grown.erase(std::unique(grown.begin(), grown.end()), grown.end());
    for (const Pair& p : grown)
      if (const int64_t count = entries_[p].count; count > 0) queue_.push({count, p});
  }

 private:
  struct Entry {
    int64_t count = 0;
    std::unordered_set<size_t> words;
  };

  void change(const Pair& pair, int64_t by, size_t word) {
    Entry& entry = entries_[pair];
    entry.count += by;
    if (by > 0) entry.words.insert(word);
  }

  std::vector<Word> words_;
  std::unordered_map<Pair, Entry, PairHash> entries_;
  std::priority_queue<Candidate> queue_;
};

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

}  // namespace

struct BpeTrainer::Words {
  WordSplitter splitter;
  SpecialTokens specials;
  std::unordered_map<std::string, int64_t, TextHash, std::equal_to<>> counts;
};

BpeTrainer::BpeTrainer(BpeOptions options) : options_(std::move(options)), words_(std::make_unique<Words>()) {
  const auto least = static_cast<int64_t>(256 + options_.specials.size());
  require(options_.vocabulary >= least,
          "tokenizer: a BPE vocabulary of {} is too small; the bytes and {} special "
          "token(s) alone are {}",
          options_.vocabulary, options_.specials.size(), least);
  for (const std::string& name : options_.specials) {
    require(!name.empty() && !words_->specials.contains(name),
            "tokenizer: the special token \"{}\" is empty or given twice", name);
    words_->specials.emplace(name, static_cast<int32_t>(words_->specials.size()));
  }
}
BpeTrainer::~BpeTrainer() = default;

void BpeTrainer::add(std::string_view text) {
  const auto word = [&](std::string_view w) {
    const auto found = words_->counts.find(w);
    if (found != words_->counts.end())
      ++found->second;
    else
      words_->counts.emplace(w, 1);
  };
  split_specials(
      text, words_->specials, [&](std::string_view plain, size_t) { words_->splitter.split(plain, word); },
      [](int32_t) {});
}

TokenizerPtr BpeTrainer::train() const {
  BpeTable table;
  // Special tokens, then the bytes in the order of their characters, then merges: the order of Hugging Face's trainer.
  for (const std::string& name : options_.specials) {
    table.specials.emplace(name, static_cast<int32_t>(table.pieces.size()));
    table.pieces.push_back(name);
  }
  std::unordered_map<std::string, int32_t> ids;
  for (const uint8_t byte : bytes_by_character()) {
    ids.emplace(std::string(1, static_cast<char>(byte)), static_cast<int32_t>(table.pieces.size()));
    table.pieces.emplace_back(1, static_cast<char>(byte));
  }

  std::vector<Word> words;
  for (const auto& [text, count] : words_->counts) {
    Word word{.symbols = {}, .count = count};
    for (const char byte : text) word.symbols.push_back(ids.at(std::string(1, byte)));
    words.push_back(std::move(word));
  }
  Pairs pairs(std::move(words));
  std::unordered_set<Pair, PairHash> merged_before;
  while (static_cast<int64_t>(table.pieces.size()) < options_.vocabulary) {
    stop_if_interrupted("learning the tokenizer");
    const auto best = pairs.best();
    if (!best) break;
    const std::string left = table.pieces[static_cast<size_t>(best->first)];
    const std::string right = table.pieces[static_cast<size_t>(best->second)];
    // Two ways can lead to one piece (ab+c, a+bc): the second merge then makes no new id.
    const auto [entry, is_new] = ids.emplace(left + right, static_cast<int32_t>(table.pieces.size()));
    if (is_new) table.pieces.push_back(left + right);
    if (merged_before.insert(*best).second) table.merges.emplace_back(left, right);
    pairs.merge(*best, entry->second);
  }
  return bpe_tokenizer(std::move(table), "tokenizer");
}

TokenizerPtr train_bpe(std::string_view text, const BpeOptions& options) {
  BpeTrainer trainer(options);
  trainer.add(text);
  return trainer.train();
}

}  // namespace rgm
