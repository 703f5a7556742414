// expressions.cpp - from tokens to functions, loosest first: a if b, or, and, not, comparisons, + -, ~, * / // %, **,
// signs, what stands behind a value, filters and tests.
#include "base/error.hpp"
#include "jinja/program.hpp"

namespace rgm::jinja {
namespace {

using Kind = Token::Kind;
constexpr int deepest = 100;  // brackets within brackets

Expression constant(const Value& value) {
  return [value](Scope&) { return value; };
}

}  // namespace

ExpressionParser::Deeper::Deeper(ExpressionParser& p) : parser(p) {
  if (++parser.depth_ > deepest) parser.wrong("nested more than " + std::to_string(deepest) + " deep");
}

void ExpressionParser::wrong(const std::string& what) const { invalid("{}:{}: {}", where_, now().line, what); }

bool ExpressionParser::skip_sign(std::string_view sign) {
  if (!is_sign(sign)) return false;
  take();
  return true;
}
bool ExpressionParser::skip_name(std::string_view name) {
  if (!is_name(name)) return false;
  take();
  return true;
}
void ExpressionParser::want_sign(std::string_view sign) {
  if (!skip_sign(sign)) wrong(fmt::format("\"{}\" where {} was expected", now().value, sign));
}
void ExpressionParser::want_name(std::string_view name) {
  if (!skip_name(name)) wrong(fmt::format("\"{}\" where {} was expected", now().value, name));
}
std::string ExpressionParser::want_any_name(const char* what) {
  if (now().kind != Kind::name) wrong(fmt::format("\"{}\" where {} was expected", now().value, what));
  return take().value;
}

// Chains, such as a + b + c, are as deep as they are long.
void ExpressionParser::one_more_term() {
  if (++terms_ > 1000) wrong("an expression of more than 1,000 parts");
}

Expression ExpressionParser::placed(Expression inner) const {
  return [inner = std::move(inner), line = now().line, where = where_](Scope& scope) {
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
    Expression condition = without_choice(), otherwise = skip_name("else") ? expression() : constant({});
    value = [=](Scope& s) { return condition(s).truth() ? value(s) : otherwise(s); };
  }
  return value;
}

Expression ExpressionParser::without_choice() { return any_of(); }

Expression ExpressionParser::tuple(bool with_choice) {
  const auto one = [&] { return with_choice ? expression() : without_choice(); };
  std::vector<Expression> all{one()};
  bool is_tuple = false;
  while (skip_sign(",")) {
    is_tuple = true;
    if (now().kind == Kind::tag_end || now().kind == Kind::expression_end || is_sign(")")) break;
    all.push_back(one());
  }
  if (!is_tuple) return all[0];
  return [all](Scope& s) {
    List out;
    for (const Expression& e : all) out.push_back(e(s));
    return Value(std::move(out));
  };
}

Expression ExpressionParser::any_of() {
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

Expression ExpressionParser::primary() {
  const Token token = now();
  one_more_term();
  if (token.kind == Kind::sign) return bracket();
  take();
  if (token.kind == Kind::integer) return constant(static_cast<int64_t>(std::stoll(token.value)));
  if (token.kind == Kind::real) return constant(std::strtod(token.value.c_str(), nullptr));
  if (token.kind == Kind::text) {
    std::string all = token.value;
    while (now().kind == Kind::text) all += take().value;
    return constant(all);
  }
  if (token.kind != Kind::name) wrong("a value was expected");
  if (token.value == "true" || token.value == "True") return constant(true);
  if (token.value == "false" || token.value == "False") return constant(false);
  if (token.value == "none" || token.value == "None") return constant(None{});
  return [name = token.value](Scope& s) { return s.get(name); };
}

// (a), (a, b), [a, b], {"a": b}
Expression ExpressionParser::bracket() {
  if (skip_sign("(")) {
    if (skip_sign(")")) return constant(List{});
    Expression inner = tuple();
    want_sign(")");
    return inner;
  }
  if (skip_sign("[")) {
    std::vector<Expression> all;
    while (!is_sign("]")) {
      all.push_back(expression());
      if (!skip_sign(",")) break;
    }
    want_sign("]");
    return [all](Scope& s) {
      List out;
      for (const Expression& e : all) out.push_back(e(s));
      return Value(std::move(out));
    };
  }
  if (!skip_sign("{")) wrong(fmt::format("\"{}\" where a value was expected", now().value));
  std::vector<std::pair<Expression, Expression>> all;
  while (!is_sign("}")) {
    Expression key = expression();
    want_sign(":");
    all.emplace_back(std::move(key), expression());
    if (!skip_sign(",")) break;
  }
  want_sign("}");
  return [all](Scope& s) {
    Map out;
    for (const auto& [key, value] : all) set(out, key(s).shown(), value(s));
    return Value(std::move(out));
  };
}

Expression ExpressionParser::postfix(Expression of) {
  for (;;) {
    if (is_sign(".") || is_sign("[") || is_sign("(")) one_more_term();
    if (skip_sign(".")) {
      const std::string name = now().kind == Kind::integer ? take().value : want_any_name("a name");
      of = placed([of, name](Scope& s) { return attribute(of(s), name); });
    } else if (skip_sign("[")) {
      of = subscript(of);
    } else if (skip_sign("(")) {
      of = placed([of, arguments = arguments()](Scope& s) {
        s.budget.step();
        const Value function = of(s);
        if (!function.is_function()) invalid("{} is called, a function was expected", function.kind());
        Arguments given;
        for (const auto& [name, e] : arguments)
          if (name.empty())
            given.positional.push_back(e(s));
          else
            set(given.named, name, e(s));
        for (const Value& one : given.positional) s.budget.step(one.weight() / 16);
        return function.function()(given);
      });
    } else {
      return of;
    }
  }
}

// [key], [begin:end:step]
Expression ExpressionParser::subscript(const Expression& of) {
  Expression parts[3] = {constant({}), constant({}), constant({})};
  size_t i = 0;
  for (;;) {
    if (!is_sign(":") && !is_sign("]")) parts[i] = expression();
    if (!skip_sign(":")) break;
    if (++i == 3) wrong("a slice has at most three parts");
  }
  want_sign("]");
  if (i == 0) return placed([of, key = parts[0]](Scope& s) { return element(of(s), key(s)); });
  return placed([of, a = parts[0], b = parts[1], c = parts[2]](Scope& s) { return slice(of(s), a(s), b(s), c(s)); });
}

ExpressionParser::Arguments_ ExpressionParser::arguments() {
  Arguments_ out;
  while (!is_sign(")")) {
    std::string name;
    if (now().kind == Kind::name && peek().kind == Kind::sign && peek().value == "=") name = take().value, take();
    out.emplace_back(name, expression());
    if (!skip_sign(",")) break;
  }
  want_sign(")");
  return out;
}

Expression ExpressionParser::filters(Expression of) {
  for (;;) {
    if (is_sign("|") || is_name("is")) one_more_term();
    if (skip_sign("|")) {
      std::string name = want_any_name("a filter");
      Arguments_ more;
      if (skip_sign("(")) more = arguments();
      of = placed([of, name, more](Scope& s) {
        s.budget.step();
        Arguments given;
        for (const auto& [key, e] : more)
          if (key.empty())
            given.positional.push_back(e(s));
          else
            set(given.named, key, e(s));
        const Value from = of(s);
        if (!is_shallow(name)) s.budget.step(from.weight() / 16);
        return filter(name, from, given);
      });
    } else if (skip_name("is")) {
      of = tested(of);
    } else if (is_sign("(") || is_sign(".") || is_sign("[")) {
      of = postfix(std::move(of));  // of what a filter has made
    } else {
      return of;
    }
  }
}

// `is not`, a test, and what it compares with: in brackets or a single value.
Expression ExpressionParser::tested(const Expression& of) {
  const bool negated = skip_name("not");
  std::string name = want_any_name("a test");
  Arguments_ more;
  const bool is_word = now().kind == Kind::name && now().value != "else" && now().value != "or" &&
                       now().value != "and" && now().value != "is" && now().value != "if" && now().value != "not" &&
                       now().value != "in";
  if (skip_sign("("))
    more = arguments();
  else if (is_word || now().kind == Kind::text || now().kind == Kind::integer || is_sign("["))
    more.emplace_back("", postfix(primary()));
  return placed([of, negated, name, more](Scope& s) {
    Arguments given;
    for (const auto& one : more) given.positional.push_back(one.second(s));
    return Value(test(name, of(s), given) != negated);
  });
}

}  // namespace rgm::jinja
