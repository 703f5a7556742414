// loop.cpp - {% for a in b if c %} ... {% else %} ... {% endfor %}
#include "jinja/statements.hpp"

namespace rgm::jinja {
namespace {

// What a loop knows of itself.
Value loop_of(const List& all, size_t i) {
  const auto number = [](size_t n) { return Value(static_cast<int64_t>(n)); };
  return Map{{"index", number(i + 1)},
             {"index0", number(i)},
             {"revindex", number(all.size() - i)},
             {"revindex0", number(all.size() - i - 1)},
             {"first", i == 0},
             {"last", i + 1 == all.size()},
             {"length", number(all.size())},
             {"previtem", i > 0 ? all[i - 1] : Value(Undefined{"loop.previtem"})},
             {"nextitem", i + 1 < all.size() ? all[i + 1] : Value(Undefined{"loop.nextitem"})},
             {"cycle", Function([i](const Arguments& a) {
                return a.positional.empty() ? Value() : a.positional[i % a.positional.size()];
              })}};
}

}  // namespace

Statement StatementParser::loop() {
  const Names names = targets();
  want_name("in");
  const Expression over = placed(tuple(false));
  Expression only;
  if (skip_name("if")) only = placed(expression());
  if (is_name("recursive")) wrong("recursive loops are not supported");
  end_tag();
  const Block body = block({"else", "endfor"});
  take();
  const Block otherwise = else_until("endfor");
  return [=](Scope& scope, std::string& out) {
    List all = items_of(over(scope), "what a loop runs over");
    if (only) {
      List kept;
      for (const Value& one : all) {
        scope.budget.step();
        Scope inner{scope.budget, &scope};
        assign(inner, names, one);
        if (only(inner).truth()) kept.push_back(one);
      }
      all = std::move(kept);
    }
    for (size_t i = 0; i < all.size(); ++i) {
      scope.budget.step();
      Scope inner{scope.budget, &scope};
      assign(inner, names, all[i]);
      set(inner.names, "loop", loop_of(all, i));
      if (run(body, inner, out) == Flow::stop) break;
    }
    return all.empty() ? run(otherwise, scope, out) : Flow::on;
  };
}

}  // namespace rgm::jinja
