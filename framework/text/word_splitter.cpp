// word_splitter.cpp - patterns of words through PCRE2 with its just-in-time compiler.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/word_splitter.hpp"

#include <pcre2.h>
#include <utf8proc.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/error.hpp"
#include "base/text.hpp"
#include "text/word_patterns.hpp"

namespace rgm {
namespace {

// \s written out as Unicode's White_Space, because PCRE2's own also takes U+180E, which Hugging Face's does not.
#define SPACE R"(\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"
constexpr std::string_view space = SPACE;
// GPT-2's 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
constexpr char gpt2_pattern[] = R"('(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^)" SPACE R"(\p{L}\p{N}]+|[)" SPACE
                                R"(]+(?![^)" SPACE R"(])|[)" SPACE R"(]+)";
#undef SPACE

// The pattern with \s and \S written out.
std::string translated(const std::string& pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      require(!(escaped == 'S' && in_class), "the pattern \"{}\" has \\S within brackets, which is not supported",
              pattern);
      if (escaped == 's')
        out += in_class ? std::string(space) : fmt::format("[{}]", space);
      else if (escaped == 'S')
        out += fmt::format("[^{}]", space);
      else
        out += {'\\', escaped};
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out += c;
  }
  return out;
}

// Compiled once for as long as the program runs.
std::shared_ptr<pcre2_code> compiled(const std::string& pattern) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<pcre2_code>> known;
  const std::scoped_lock lock(mutex);
  std::shared_ptr<pcre2_code>& code = known[pattern];
  if (code) return code;
  const std::string ours = pattern.empty() ? gpt2_pattern : translated(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code = {pcre2_compile(reinterpret_cast<PCRE2_SPTR>(ours.data()), ours.size(),
                        PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK, &error, &offset, nullptr),
          pcre2_code_free};
  require(code != nullptr, "the pattern \"{}\" cannot be read: error {} at {} of {}", pattern, error, offset, ours);
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // where there is no JIT, pcre2_match interprets
  return code;
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}
bool is_letter_or_number(char32_t c) {
  const int category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

}  // namespace

struct WordSplitter::MatchData {
  std::shared_ptr<pcre2_code> code;
  pcre2_match_data* data;
  explicit MatchData(std::shared_ptr<pcre2_code> c)
      : code(std::move(c)), data(pcre2_match_data_create_from_pattern(code.get(), nullptr)) {}
  ~MatchData() { pcre2_match_data_free(data); }
};

WordSplitter::WordSplitter(const std::string& pattern)
    : match_(std::make_unique<MatchData>(compiled(pattern))), anchored_(pattern.empty()) {}
WordSplitter::~WordSplitter() = default;

size_t WordSplitter::valid_length(std::string_view text) { return invalid_utf8(text).value_or(text.size()); }

size_t WordSplitter::word_end(std::string_view text, size_t at) {
  const int found = pcre2_match(match_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                PCRE2_NO_UTF_CHECK | (anchored_ ? PCRE2_ANCHORED : 0), match_->data, nullptr);
  if (found == PCRE2_ERROR_NOMATCH && !anchored_) return text.size();
  if (found < 0) failure("tokenizer: PCRE2 cannot split the text (error {})", found);
  const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(match_->data);
  if (ends[0] > at) return ends[0];
  return ends[1] > at ? ends[1] : text.size();
}

size_t end_of_stable_words(std::string_view text, const std::string& pattern) {
  const bool gpt2 = pattern.empty();
  if (!gpt2 && std::ranges::find(word_patterns, pattern, &WordPattern::pattern) == std::end(word_patterns)) return 0;
  // White space begins a word after anything else, and nothing before it looks past it; in the other patterns only a
  // space does, after a letter or a digit.
  for (size_t n = text.size(); n-- > 1;) {
    const auto here = static_cast<unsigned char>(text[n]);
    if (gpt2 ? !is_space(here) || here >= 0x80 : here != ' ') continue;
    size_t first = n - 1;  // where the character before it begins
    while (first > 0 && n - first < 4 && (static_cast<unsigned char>(text[first]) & 0xC0) == 0x80) --first;
    const char32_t before = code_points(text.substr(first, n - first)).back();
    if (gpt2 ? !is_space(before) : is_letter_or_number(before)) return n;
  }
  return 0;
}

}  // namespace rgm
