// expressions.hpp - tokens of an expression to a function that computes it. Statements build on it.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "jinja/program.hpp"
#include "jinja/token_reader.hpp"

namespace rgm::jinja {

// Arguments and parameters; one without a name is by position.
using NamedExpressions = std::vector<std::pair<std::string, Expression>>;

class ExpressionParser : protected TokenReader {
 public:
  using TokenReader::TokenReader;

 protected:
  Expression expression();      // with `a if b else c`
  Expression without_choice();  // behind `in` of a loop, where `if` has another meaning
  // One, or several with commas between as a tuple.
  Expression tuple(bool with_choice = true);
  // Errors of `inner` begin with this place.
  Expression placed(Expression inner) const;

 private:
  // Operators, loosest first.
  Expression all_of();
  Expression negation();
  Expression comparison();
  Expression sum();
  Expression joined();
  Expression product();
  Expression power();
  Expression sign(bool with_filters = true);
  // What they are put between, and what stands behind that.
  Expression primary();
  Expression bracket();
  Expression postfix(Expression of);
  Expression subscript(const Expression& of);
  NamedExpressions arguments();
  Expression filters(Expression of);
  Expression tested(const Expression& of);
};

}  // namespace rgm::jinja
