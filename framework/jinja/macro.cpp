// macro.cpp - {% macro f(a, b=1) %} ... {% endmacro %}: a function whose value is a text.
#include <memory>

#include "base/error.hpp"
#include "jinja/arguments.hpp"
#include "jinja/statements.hpp"

namespace rgm::jinja {

Statement StatementParser::macro() {
  const std::string name = want_any_name("a macro's name");
  NamedExpressions parameters;
  want_sign("(");
  while (!is_sign(")")) {
    std::string parameter = want_any_name("a parameter");
    parameters.emplace_back(parameter, skip_sign("=") ? expression() : Expression());
    if (!skip_sign(",")) break;
  }
  want_sign(")");
  end_tag();
  const auto body = std::make_shared<const Block>(block({"endmacro"}));
  closing("endmacro");
  return [=](Scope& scope, std::string&) {
    const Scope& outermost = scope.outermost();
    std::vector<std::string_view> known;
    known.reserve(parameters.size());
    for (const auto& [parameter, otherwise] : parameters) known.emplace_back(parameter);
    const auto call = [=, &budget = scope.budget, &outermost](const Arguments& given) {
      budget.check_stack();
      check_arguments(given, known, fmt::format("the macro \"{}\"", name));
      Scope inner{budget, &outermost};
      for (size_t i = 0; i < parameters.size(); ++i) {
        const auto& [parameter, otherwise] = parameters[i];
        const Value* const named = find(given.named, parameter);
        if (i < given.positional.size())
          set(inner.names, parameter, given.positional[i]);
        else if (named)
          set(inner.names, parameter, *named);
        else
          set(inner.names, parameter, otherwise ? otherwise(inner) : Value(Undefined{parameter}));
      }
      std::string out;
      run(*body, inner, out);
      return Value(std::move(out));
    };
    set(scope.names, name, Function(call));
    return Flow::on;
  };
}

}  // namespace rgm::jinja
