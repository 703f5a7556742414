// assignment.cpp - {% set %}, and the names that a value goes to, as a loop has them too.
#include "base/error.hpp"
#include "jinja/statements.hpp"

namespace rgm::jinja {

StatementParser::Names StatementParser::targets() {
  Names out;
  const bool in_brackets = skip_sign("(");
  do out.push_back(want_any_name("a name"));
  while (skip_sign(","));
  if (in_brackets) want_sign(")");
  return out;
}

void StatementParser::assign(Scope& scope, const Names& names, const Value& value) {
  if (names.size() == 1) return set(scope.names, names[0], value);
  const List all = items_of(value, "what is unpacked");
  if (all.size() != names.size()) invalid("{} values for {} names", all.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) set(scope.names, names[i], all[i]);
}

// {% set a = 1 %}, {% set a, b = x %}, {% set ns.a = 1 %}, {% set a %}text{% endset %}
Statement StatementParser::assignment() {
  Names names = targets();
  std::string member;
  if (names.size() == 1 && skip_sign(".")) member = want_any_name("a name");
  Expression value;
  if (skip_sign("=")) {
    value = placed(tuple());
    end_tag();
  } else {
    end_tag();
    const Block body = block({"endset"});
    closing("endset");
    value = [body](Scope& scope) {
      std::string text;
      Scope inner{scope.budget, &scope};
      run(body, inner, text);
      return Value(std::move(text));
    };
  }
  if (member.empty())
    return [names, value](Scope& scope, std::string&) {
      assign(scope, names, value(scope));
      return Flow::on;
    };
  return [name = names[0], member, value](Scope& scope, std::string&) {
    const Value of = scope.get(name);
    if (!of.is_namespace())
      invalid("{}.{} is set, and {} is {}: only a namespace can be changed", name, member, name, of.kind());
    Value new_value = value(scope);
    if (new_value.is_namespace()) invalid("a namespace cannot be part of another value");
    set(of.names(), member, std::move(new_value));
    return Flow::on;
  };
}

}  // namespace rgm::jinja
