// expressions.cpp - operators, loosest first: a if b, or, and, not, comparisons, + -, ~, * / // %, **, signs.
#include "jinja/expressions.hpp"

#include "base/error.hpp"

namespace rgm::jinja {

Expression ExpressionParser::placed(Expression inner) const {
  return [inner = std::move(inner), line = now().line, where = where()](Scope& scope) {
    try {
      scope.budget.check_stack();
      return inner(scope);
    } catch (const Error& e) {
      const std::string text = e.what();
      if (text.starts_with(where + ":")) throw;
      invalid("{}:{}: {}", where, line, text);
    }
  };
}

Expression ExpressionParser::expression() {
  const Deeper deeper(*this);
  Expression value = without_choice();
  while (skip_name("if")) {
    Expression condition = without_choice(), otherwise = [](Scope&) { return Value(); };
    if (skip_name("else")) otherwise = expression();
    value = [=](Scope& s) { return condition(s).truth() ? value(s) : otherwise(s); };
  }
  return value;
}

Expression ExpressionParser::without_choice() {
  Expression left = all_of();
  while (skip_name("or")) {
    left = [left, right = all_of()](Scope& s) {
      Value first = left(s);
      return first.truth() ? first : right(s);
    };
  }
  return left;
}

Expression ExpressionParser::all_of() {
  Expression left = negation();
  while (skip_name("and")) {
    left = [left, right = negation()](Scope& s) {
      Value first = left(s);
      return first.truth() ? right(s) : first;
    };
  }
  return left;
}

Expression ExpressionParser::negation() {
  const Deeper deeper(*this);
  if (!skip_name("not")) return comparison();
  return [inner = negation()](Scope& s) { return Value(!inner(s).truth()); };
}

namespace {
bool holds(const std::string& op, const Value& a, const Value& b) {
  if (op == "==") return a == b;
  if (op == "!=") return !(a == b);
  if (op == "in") return contains(b, a);
  if (op == "not in") return !contains(b, a);
  const int order = compare(a, b);
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  return op == ">" ? order > 0 : order >= 0;
}
}  // namespace

// a < b <= c holds where both do.
Expression ExpressionParser::comparison() {
  Expression first = sum();
  std::vector<std::pair<std::string, Expression>> rest;
  for (;;) {
    std::string op;
    for (const char* sign : {"==", "!=", "<=", ">=", "<", ">"})
      if (is_sign(sign)) op = sign;
    if (is_name("in")) op = "in";
    if (is_name("not") && peek().kind == Kind::name && peek().value == "in") take(), op = "not in";
    if (op.empty()) break;
    take();
    rest.emplace_back(op, sum());
  }
  if (rest.empty()) return first;
  return placed([first, rest](Scope& s) {
    Value left = first(s);
    for (const auto& [op, expression] : rest) {
      Value right = expression(s);
      s.budget.step((left.weight() + right.weight()) / 16);
      if (!holds(op, left, right)) return Value(false);
      left = std::move(right);
    }
    return Value(true);
  });
}

Expression ExpressionParser::sum() {
  Expression left = joined();
  while (is_sign("+") || is_sign("-"))
    left = placed([left, op = take().value, right = joined()](Scope& s) { return arithmetic(op, left(s), right(s)); });
  return left;
}

Expression ExpressionParser::joined() {
  Expression left = product();
  while (skip_sign("~")) left = [left, right = product()](Scope& s) { return arithmetic("~", left(s), right(s)); };
  return left;
}

Expression ExpressionParser::product() {
  Expression left = power();
  while (is_sign("*") || is_sign("/") || is_sign("//") || is_sign("%"))
    left = placed([left, op = take().value, right = power()](Scope& s) { return arithmetic(op, left(s), right(s)); });
  return left;
}

Expression ExpressionParser::power() {
  Expression left = sign();
  while (skip_sign("**"))
    left = placed([left, right = sign()](Scope& s) { return arithmetic("**", left(s), right(s)); });
  return left;
}

Expression ExpressionParser::sign(bool with_filters) {
  const Deeper deeper(*this);
  if (is_sign("-") || is_sign("+")) {
    Expression of =
        placed([op = take().value, inner = sign(false)](Scope& s) { return arithmetic(op, int64_t{0}, inner(s)); });
    return with_filters ? filters(std::move(of)) : of;
  }
  Expression of = postfix(primary());
  return with_filters ? filters(std::move(of)) : of;
}

}  // namespace rgm::jinja
