// word_splitter.cpp - GPT-2's pattern through PCRE2 with its just-in-time compiler.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/word_splitter.hpp"

#include <pcre2.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace rgm {
namespace {

// GPT-2's 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ with \s written out as Unicode's
// White_Space, because PCRE2's own also takes U+180E, which Hugging Face's does not.
#define SPACE R"(\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"
constexpr char pattern[] = R"('(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^)" SPACE R"(\p{L}\p{N}]+|[)" SPACE
                           R"(]+(?![^)" SPACE R"(])|[)" SPACE R"(]+)";
#undef SPACE

pcre2_code* compiled() {
  static pcre2_code* const code = [] {
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* out = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern), PCRE2_ZERO_TERMINATED,
                                    PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK, &error, &offset, nullptr);
    if (!out) failure("tokenizer: PCRE2 refuses the pattern at {} (error {})", offset, error);
    pcre2_jit_compile(out, PCRE2_JIT_COMPLETE);  // where there is no JIT, pcre2_match interprets
    return out;
  }();
  return code;
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

}  // namespace

struct WordSplitter::MatchData {
  pcre2_match_data* data = pcre2_match_data_create_from_pattern(compiled(), nullptr);
  ~MatchData() { pcre2_match_data_free(data); }
};

WordSplitter::WordSplitter() : match_(std::make_unique<MatchData>()) {}
WordSplitter::~WordSplitter() = default;

size_t WordSplitter::valid_length(std::string_view text) { return invalid_utf8(text).value_or(text.size()); }

size_t WordSplitter::word_end(std::string_view text, size_t at) {
  const int found = pcre2_match(compiled(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED, match_->data, nullptr);
  if (found < 0) failure("tokenizer: PCRE2 cannot split the text (error {})", found);
  return pcre2_get_ovector_pointer(match_->data)[1];
}

size_t end_of_stable_words(std::string_view text) {
  // White space begins a word after anything else, and nothing before it looks past it.
  for (size_t n = text.size(); n-- > 1;) {
    if (!is_space(static_cast<unsigned char>(text[n])) || static_cast<unsigned char>(text[n]) >= 0x80) continue;
    size_t first = n - 1;  // where the character before it begins
    while (first > 0 && n - first < 4 && (static_cast<unsigned char>(text[first]) & 0xC0) == 0x80) --first;
    const auto before = code_points(text.substr(first, n - first));
    if (!is_space(before.back())) return n;
  }
  return 0;
}

}  // namespace rgm
