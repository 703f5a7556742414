// functions.cpp - Jinja's functions, and those that transformers adds: raise_exception and strftime_now.
#include "jinja/functions.hpp"

#include <ctime>

#include "base/error.hpp"

namespace rgm::jinja {
namespace {

Value range(const Arguments& a) {
  int64_t bounds[3] = {0, 0, 1};
  const size_t n = a.positional.size();
  if (n == 0 || n > 3) invalid("range of {} numbers, one to three were expected", n);
  for (size_t i = 0; i < n; ++i) bounds[n == 1 ? 1 : i] = a.positional[i].integer("a bound of range");
  const auto [begin, end, step] = bounds;
  if (step == 0) invalid("range with a step of 0");
  List out;
  for (int64_t i = begin; step > 0 ? i < end : i > end;) {
    if (out.size() == 100'000) invalid("range of more than 100,000 numbers");
    out.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return out;
}

Value time_as(const Arguments& a) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char out[256];
  const std::string format = a.positional.empty() ? "" : a.positional[0].shown();
  return std::string(out, std::strftime(out, sizeof out, format.c_str(), &local));
}

// dict(a=1), dict({"a": 1}, b=2)
Map members(const Arguments& a, const char* what) {
  Map out;
  if (!a.positional.empty()) {
    require(a.positional.size() == 1 && a.positional[0].is_map(), "{}({}), one map was expected", what,
            a.positional[0].kind());
    out = a.positional[0].map();
  }
  for (const auto& [name, value] : a.named) set(out, name, value);
  return out;
}

}  // namespace

Map functions() {
  const Function map = [](const Arguments& a) { return Value(members(a, "dict")); };
  const Function names = [](const Arguments& a) { return Value(Namespace{members(a, "namespace")}); };
  const Function refuse = [](const Arguments& a) -> Value {
    invalid("the template refuses these messages: {}", a.positional.empty() ? "" : a.positional[0].shown());
  };
  return {{"namespace", names},
          {"dict", map},
          {"range", Function(range)},
          {"raise_exception", refuse},
          {"strftime_now", Function(time_as)}};
}

}  // namespace rgm::jinja
