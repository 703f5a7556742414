// operands.cpp - what operators are put between: constants, names, brackets, and what stands behind these, such as
// .name, [key], (arguments), | filter, `is` with a test.
#include <algorithm>

#include "base/error.hpp"
#include "jinja/expressions.hpp"

namespace rgm::jinja {
namespace {

Expression constant(const Value& value) {
  return [value](Scope&) { return value; };
}

Expression list_of(std::vector<Expression> all) {
  return [all = std::move(all)](Scope& s) {
    List out;
    for (const Expression& e : all) out.push_back(e(s));
    return Value(std::move(out));
  };
}

Arguments values_of(const NamedExpressions& all, Scope& s) {
  Arguments out;
  for (const auto& [name, e] : all)
    if (name.empty())
      out.positional.push_back(e(s));
    else
      set(out.named, name, e(s));
  return out;
}

}  // namespace

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
  return list_of(std::move(all));
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
    return list_of(std::move(all));
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
        const Arguments given = values_of(arguments, s);
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

NamedExpressions ExpressionParser::arguments() {
  NamedExpressions out;
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
      NamedExpressions more;
      if (skip_sign("(")) more = arguments();
      of = placed([of, name, more](Scope& s) {
        s.budget.step();
        const Arguments given = values_of(more, s);
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
  NamedExpressions more;
  constexpr std::string_view go_on[] = {"else", "or", "and", "is", "if", "not", "in"};
  const bool is_word = now().kind == Kind::name && std::ranges::find(go_on, now().value) == std::end(go_on);
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
