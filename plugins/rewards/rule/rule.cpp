// rule.cpp - a reward that is a rule: 1 for an answer that passes all conditions that are given, else 0. Without any,
// an answer has to be there.
//   regex      the answer has a match (POSIX extended regular expressions; read to a zero byte, if there is one)
//   contains   the answer has every one of these texts
//   match      the answer, or what the first (...) of `extract` finds in it, compared with the data's column
//   `expected`:
//              exact, or the answer contains it; blanks at both ends do not count
//   shortest, longest   bytes of the answer
// An answer in which `extract` finds nothing does not pass, also where nothing is compared. Without `expected` an
// answer cannot be scored by `match`.
#include <regex.h>

#include <cctype>
#include <limits>
#include <optional>
#include <regimen/regimen.hpp>
#include <utility>
using namespace regimen;

struct RuleOptions {
  static constexpr const char* matches[] = {"none", "exact", "contains", nullptr};

  std::string_view regex, extract, match = "none";
  std::span<const rgm_str> contains;
  int64_t shortest = 1, longest = 0;

  using O = RuleOptions;
  static constexpr auto list =
      options(option("regex", &O::regex, "POSIX extended expression that must match somewhere in the answer"),
              option("contains", &O::contains, "texts that must all be in the answer"),
              option("match", &O::match, "how the answer is compared with the column `expected`").choices(matches),
              option("extract", &O::extract, "expression whose first group is compared, instead of the whole answer"),
              option("shortest", &O::shortest, "least bytes an answer may have").at_least(0),
              option("longest", &O::longest, "most bytes an answer may have; 0: no limit").at_least(0));
};

// std::regex takes a stack frame a byte; this does not.
class Expression {
 public:
  explicit Expression(std::string_view text) : text_(text) {
    refuse_classes();
    const int status = regcomp(&compiled_, text_.c_str(), REG_EXTENDED);
    char why[200];
    if (status != 0) regerror(status, &compiled_, why, sizeof why);
    require(status == 0, "rule: \"" + text_ + "\" is not a regular expression: " + (status ? why : ""));
  }
  ~Expression() { regfree(&compiled_); }
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;

  // The first group, or the whole match where there is none.
  std::optional<std::string> find(const std::string& in) const {
    regmatch_t parts[2];
    if (regexec(&compiled_, in.c_str(), 2, parts, 0) != 0) return std::nullopt;
    const regmatch_t& part = parts[1].rm_so >= 0 ? parts[1] : parts[0];
    return in.substr(size_t(part.rm_so), size_t(part.rm_eo - part.rm_so));
  }

 private:
  // glibc would take \d for the letter d, and [\w] for a backslash or a w.
  void refuse_classes() const {
    bool in_brackets = false;
    for (size_t i = 0; i < text_.size(); ++i) {
      if (text_[i] == '[' && !in_brackets) {
        in_brackets = true;
        i += i + 1 < text_.size() && text_[i + 1] == '^';
        i += i + 1 < text_.size() && text_[i + 1] == ']';  // the first is one of the characters
        continue;
      }
      if (text_.compare(i, 2, "[:") == 0 && in_brackets)
        i = std::min(text_.find(":]", i), text_.size() - 1) + 1;
      else if (text_[i] == ']')
        in_brackets = false;
      if (i + 1 >= text_.size() || text_[i] != '\\') continue;
      const char c = text_[i + 1];
      const bool known = !in_brackets && std::string_view("wWsSbB").find(c) != std::string_view::npos;
      require(!std::isalpha(uint8_t(c)) || known,
              "rule: \"" + text_ + "\" has \\" + c + (in_brackets ? " within brackets" : "") +
                  ", which such an expression does not know; a digit is [0-9], a letter of a word [[:alnum:]_]");
      i += !in_brackets;
    }
  }

  std::string text_;
  regex_t compiled_{};
};

class Rule {
 public:
  using Options = RuleOptions;
  static constexpr rgm_column columns[] = {column::text("expected", RGM_OPTIONAL)};

  explicit Rule(const Options& o) : o_(o) {
    if (!o.regex.empty()) regex_.emplace(o.regex);
    if (!o.extract.empty()) extract_.emplace(o.extract);
  }

  float score(const Completion& c) const {
    const std::string text(c.text());
    const auto size = int64_t(text.size());
    if (size < o_.shortest || (o_.longest > 0 && size > o_.longest)) return 0;
    if (regex_ && !regex_->find(text)) return 0;
    for (const rgm_str& wanted : o_.contains)
      if (text.find(view(wanted)) == std::string::npos) return 0;
    if (o_.match == "none") return !extract_ || extract_->find(text) ? 1 : 0;
    return matches(c, text);
  }

 private:
  float matches(const Completion& c, const std::string& text) const {
    if (!c.has(0)) return without_expected();
    const auto found = extract_ ? extract_->find(text) : text;
    if (!found) return 0;
    const std::string_view expected = trimmed(c.text(0));
    return o_.match == "exact" ? trimmed(*found) == expected : found->find(expected) != std::string::npos;
  }
  float without_expected() const {
    if (!std::exchange(is_told_, true))
      host->log(RGM_LOG_WARNING, str("rule: `match` compares answers with the column \"expected\", which the data does "
                                     "not have, so none is scored: name the file's, as in columns: {expected: NAME}"));
    return std::numeric_limits<float>::quiet_NaN();
  }
  static std::string_view trimmed(std::string_view x) {
    const size_t begin = x.find_first_not_of(" \t\r\n"), end = x.find_last_not_of(" \t\r\n");
    return begin == std::string_view::npos ? "" : x.substr(begin, end - begin + 1);
  }

  Options o_;
  std::optional<Expression> regex_, extract_;
  mutable bool is_told_ = false;
};

constexpr rgm_component rule = reward<Rule>("rule", "1.0.0", "1 for answers that pass a rule, else 0");
RGM_PLUGIN("rule", "1.0.0", "", &rule);
