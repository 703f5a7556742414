// operators.cpp - parts of values, comparisons, and arithmetic.
#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"
#include "jinja/value.hpp"

namespace rgm::jinja {

List items_of(const Value& value, std::string_view what) {
  if (value.is_undefined()) return {};
  if (value.is_list()) return value.list();
  List out;
  if (value.is_map())
    for (const auto& one : value.map()) out.emplace_back(one.first);
  else if (value.is_text())
    for (std::string& one : characters(value.text())) out.emplace_back(std::move(one));
  else
    invalid("{} is {}, which has no elements", what, value.kind());
  return out;
}

Value attribute(const Value& value, const std::string& name) {
  if (value.is_undefined()) invalid("\"{}\" of {}", name, value.kind());
  // As Python has it, methods come before keys.
  if (Value own = value.is_map() ? method(value, name) : Value(); !own.is_undefined()) return own;
  if (value.is_map() || value.is_namespace())
    if (const Value* const found = find(value.is_map() ? value.map() : value.names(), name)) return *found;
  const Value own = method(value, name);
  return own.is_undefined() ? Value(Undefined{name}) : own;
}

namespace {
// Python's: from the end where it is negative; -1 where there is no such place.
int64_t place(int64_t index, size_t size) {
  const auto n = static_cast<int64_t>(size);
  const int64_t at = index < 0 ? index + n : index;
  return at >= 0 && at < n ? at : -1;
}
}  // namespace

Value element(const Value& value, const Value& key) {
  if (value.is_undefined()) invalid("[{}] of {}", key.quoted(), value.kind());
  if (value.is_map()) {
    const Value* const found = find(value.map(), key.shown());
    if (found && key.is_text()) return *found;
    return key.is_text() ? attribute(value, key.text()) : Value(Undefined{key.shown()});
  }
  if (key.is_text()) return attribute(value, key.text());
  // As Jinja has it: what has no such element is undefined, whatever it is.
  if (!(value.is_list() || value.is_text()) || !(key.is_integer() || key.is_boolean())) return Undefined{key.shown()};
  const int64_t index = key.integer("an index");
  if (value.is_list()) {
    const int64_t at = place(index, value.list().size());
    return at < 0 ? Value(Undefined{key.shown()}) : value.list()[static_cast<size_t>(at)];
  }
  const auto all = characters(value.text());
  const int64_t at = place(index, all.size());
  return at < 0 ? Value(Undefined{key.shown()}) : Value(all[static_cast<size_t>(at)]);
}

Value slice(const Value& value, const Value& begin, const Value& end, const Value& step) {
  if (!value.is_list() && !value.is_text()) invalid("a slice of {}, a list or a string was expected", value.kind());
  const List all = items_of(value, "");
  const auto n = static_cast<int64_t>(all.size());
  const auto given = [](const Value& v) { return !v.is_undefined() && !v.is_none(); };
  const int64_t by = given(step) ? step.integer("a slice's step") : 1;
  if (by == 0) invalid("a slice with a step of 0");
  const auto bound = [&](const Value& v, int64_t otherwise) {
    if (!given(v)) return otherwise;
    const int64_t at = v.integer("a slice's bound"), from = at < 0 ? at + n : at;
    return by > 0 ? std::clamp<int64_t>(from, 0, n) : std::clamp<int64_t>(from, -1, n - 1);
  };
  const int64_t first = bound(begin, by > 0 ? 0 : n - 1), last = bound(end, by > 0 ? n : -1);
  List out;
  // The step may be as large as a number can be: count what lies between, and never add past it.
  for (int64_t i = first; by > 0 ? i < last : i > last;) {
    out.push_back(all[static_cast<size_t>(i)]);
    const int64_t left = by > 0 ? last - i : i - last;
    if (by > 0 ? by >= left : by <= -left) break;
    i += by;
  }
  if (value.is_list()) return out;
  std::string text;
  for (const Value& one : out) text += one.text();
  return text;
}

bool contains(const Value& container, const Value& value) {
  if (container.is_text()) {
    if (!value.is_text()) invalid("{} in a string, a string was expected", value.kind());
    return container.text().find(value.text()) != std::string::npos;
  }
  if (container.is_map()) return value.is_text() && find(container.map(), value.text());
  if (container.is_list()) return std::ranges::find(container.list(), value) != container.list().end();
  if (container.is_undefined()) return false;
  invalid("`in` of {}, a list, a map or a string was expected", container.kind());
}

int compare(const Value& left, const Value& right) {
  if (left.is_text() && right.is_text()) return left.text().compare(right.text());
  const double a = left.number("what is compared"), b = right.number("what is compared");
  return (a > b) - (a < b);
}

namespace {
constexpr size_t longest = size_t{1} << 20;  // of a text or a list that is repeated

Value repeated(const Value& what, int64_t times) {
  const size_t n = times <= 0 ? 0 : static_cast<size_t>(times);
  const size_t size = what.is_text() ? what.text().size() : what.list().size();
  if (size > 0 && n > longest / size) invalid("{} repeated {} times is too long", what.kind(), times);
  if (what.is_text()) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += what.text();
    return out;
  }
  List out;
  for (size_t i = 0; i < n; ++i) out.insert(out.end(), what.list().begin(), what.list().end());
  return out;
}

Value of_integers(std::string_view op, int64_t a, int64_t b) {
  int64_t out = 0;
  bool too_large = false;
  if (op == "+") too_large = __builtin_add_overflow(a, b, &out);
  if (op == "-") too_large = __builtin_sub_overflow(a, b, &out);
  if (op == "*") too_large = __builtin_mul_overflow(a, b, &out);
  if (op == "//" || op == "%") {
    if (b == 0) invalid("a division by 0");
    if (b == -1) return of_integers("*", op == "%" ? 0 : a, -1);
    const int64_t rest = a % b;
    out = op == "%" ? (rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest)
                    : a / b - (a % b != 0 && (a < 0) != (b < 0));  // towards minus infinity
  }
  if (too_large) invalid("{} {} {} is too large a number", a, op, b);
  return out;
}
}  // namespace

Value arithmetic(std::string_view op, const Value& left, const Value& right) {
  if (op == "~") return left.shown() + right.shown();
  if (op == "+" && left.is_text() && right.is_text()) return left.text() + right.text();
  if (op == "+" && left.is_list() && right.is_list()) {
    List out = left.list();
    out.insert(out.end(), right.list().begin(), right.list().end());
    return out;
  }
  if (op == "*" && (left.is_text() || left.is_list()) && right.is_integer())
    return repeated(left, right.integer("a count"));
  const auto is_number = [](const Value& v) { return v.is_number() || v.is_boolean(); };
  if (!is_number(left) || !is_number(right)) invalid("{} {} {}", left.kind(), op, right.kind());
  const auto is_whole = [](const Value& v) { return v.is_integer() || v.is_boolean(); };
  const bool whole = is_whole(left) && is_whole(right);
  if (whole && op != "/" && op != "**") return of_integers(op, left.integer(""), right.integer(""));
  const double a = left.number(""), b = right.number("");
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (op == "**") {
    const double power = std::pow(a, b);
    return whole && b >= 0 && std::abs(power) < 9e15 ? Value(static_cast<int64_t>(power)) : Value(power);
  }
  if (b == 0) invalid("a division by 0");
  if (op == "/") return a / b;
  return op == "//" ? std::floor(a / b) : a - b * std::floor(a / b);
}

}  // namespace rgm::jinja
