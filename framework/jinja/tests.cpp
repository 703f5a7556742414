// tests.cpp - Jinja's tests, as in `x is defined`, those that chat templates use.
#include "base/error.hpp"
#include "jinja/arguments.hpp"

namespace rgm::jinja {

bool test(const std::string& name, const Value& value, const Arguments& a) {
  if (a.positional.size() > 1) invalid("the test \"{}\" has {} arguments, it takes one", name, a.positional.size());
  const auto other = [&] { return argument(a, 0, "other"); };
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "boolean") return value.is_boolean();
  if (name == "true") return value.is_boolean() && value.truth();
  if (name == "false") return value.is_boolean() && !value.truth();
  if (name == "string") return value.is_text();
  if (name == "number") return value.is_number() || value.is_boolean();
  if (name == "integer") return value.is_integer();
  if (name == "float") return value.is_number() && !value.is_integer();
  if (name == "mapping") return value.is_map();
  if (name == "sequence") return value.is_list() || value.is_text() || value.is_map();
  if (name == "iterable") return value.is_list() || value.is_text() || value.is_map() || value.is_undefined();
  if (name == "callable") return value.is_function();
  if (name == "odd" || name == "even") return (value.integer(name) % 2 != 0) == (name == "odd");
  if (name == "divisibleby") return arithmetic("%", value, other()) == Value(int64_t{0});
  if (name == "in") return contains(other(), value);
  if (name == "eq" || name == "equalto" || name == "==" || name == "sameas") return value == other();
  if (name == "ne" || name == "!=") return !(value == other());
  if (name == "gt" || name == ">" || name == "greaterthan") return compare(value, other()) > 0;
  if (name == "ge" || name == ">=") return compare(value, other()) >= 0;
  if (name == "lt" || name == "<" || name == "lessthan") return compare(value, other()) < 0;
  if (name == "le" || name == "<=") return compare(value, other()) <= 0;
  invalid("the test \"{}\" is not known", name);
}

}  // namespace rgm::jinja
