// program.hpp - what a template is parsed to: functions that compute values and append text.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "jinja/lexer.hpp"
#include "jinja/value.hpp"

namespace rgm::jinja {

// A template comes with a model from anywhere: one that goes on without end is stopped.
struct Budget {
  int64_t most = 500'000;  // and more where there is more to write
  int64_t steps = most;    // that are left
  size_t bytes = size_t{16} << 20;
  const char* stack = nullptr;                              // where the frames of the template begin
  const std::string* text = nullptr;                        // of the whole template, while it grows
  std::vector<std::pair<size_t, size_t>>* spans = nullptr;  // in it, of what was marked as generated
  void step(int64_t n = 1);
  void check_stack() const;  // a template that calls itself, or is nested without end, must not end the program
};

// Names within a loop or a macro; those outside are seen and not changed.
struct Scope {
  Budget& budget;
  const Scope* outer = nullptr;
  Map names{};
  const Scope& outermost() const { return outer ? outer->outermost() : *this; }
  Value get(const std::string& name) const;
};

using Expression = std::function<Value(Scope&)>;
enum class Flow { on, next, stop };  // of a loop: `continue`, `break`
using Statement = std::function<Flow(Scope&, std::string& out)>;
using Block = std::vector<Statement>;

Flow run(const Block& block, Scope& scope, std::string& out);

// Tokens one after the other, and expressions of them; statements build on it.
class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, std::string where)
      : tokens_(std::move(tokens)), where_(std::move(where)) {}

 protected:
  Expression expression();      // with `a if b else c`
  Expression without_choice();  // behind `in` of a loop, where `if` has another meaning
  // One, or several with commas between as a tuple.
  Expression tuple(bool with_choice = true);

  const Token& now() const { return tokens_[at_]; }
  const Token& peek() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool is_sign(std::string_view sign) const { return now().kind == Token::Kind::sign && now().value == sign; }
  bool is_name(std::string_view name) const { return now().kind == Token::Kind::name && now().value == name; }
  bool skip_sign(std::string_view sign);
  bool skip_name(std::string_view name);
  void want_sign(std::string_view sign);
  void want_name(std::string_view name);
  std::string want_any_name(const char* what);
  [[noreturn]] void wrong(const std::string& what) const;
  // Errors of `inner` begin with this place.
  Expression placed(Expression inner) const;
  void begin_tag() { terms_ = 0; }

  struct Deeper {
    explicit Deeper(ExpressionParser& parser);
    ~Deeper() { --parser.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    ExpressionParser& parser;
  };

 private:
  using Arguments_ = std::vector<std::pair<std::string, Expression>>;  // without a name: by position
  Expression any_of();
  Expression all_of();
  Expression negation();
  Expression comparison();
  Expression sum();
  Expression joined();
  Expression product();
  Expression power();
  Expression sign(bool with_filters = true);
  Expression primary();
  Expression bracket();
  Expression postfix(Expression of);
  Expression subscript(const Expression& of);
  Expression filters(Expression of);
  Expression tested(const Expression& of);
  Arguments_ arguments();

  std::vector<Token> tokens_;
  std::string where_;
  void one_more_term();
  size_t at_ = 0;
  int depth_ = 0, terms_ = 0;  // of the tag at hand
};

}  // namespace rgm::jinja
