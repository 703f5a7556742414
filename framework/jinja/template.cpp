// template.cpp - a template parsed once, and rendered with the values of a conversation.
#include "jinja/template.hpp"

#include "base/error.hpp"
#include "jinja/functions.hpp"
#include "jinja/statements.hpp"

namespace rgm::jinja {

struct Template::Program {
  Block block;
  std::string where;
  bool marks_answers;
};

Template::Template(std::string_view text, const std::string& where) {
  StatementParser parser(tokens_of(text, where), where);
  Block block = parser.all();
  program_ = std::make_shared<const Program>(Program{std::move(block), where, parser.marks_answers});
}

bool Template::marks_answers() const { return program_->marks_answers; }

std::string Template::render(const nlohmann::ordered_json& values, Spans* spans) const {
  Budget budget;
  budget.spans = spans;
  budget.stack = static_cast<const char*>(__builtin_frame_address(0));
  Scope scope{budget, nullptr, functions()};
  for (const auto& [name, value] : values.items()) {
    Value given(value);
    budget.most += 32 * given.weight();
    set(scope.names, name, std::move(given));
  }
  budget.steps = budget.most;
  std::string out;
  budget.text = &out;
  try {
    run(program_->block, scope, out);
  } catch (const Error& e) {
    const std::string what = e.what();
    if (what.starts_with(program_->where)) throw;
    invalid("{}: {}", program_->where, what);
  }
  return out;
}

}  // namespace rgm::jinja
