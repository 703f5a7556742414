// program.cpp - running what a template was parsed to, within its budget.
#include "jinja/program.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace rgm::jinja {

void Budget::step(int64_t n) {
  if ((steps -= n) < 0)
    invalid("the template does not end: it was stopped after {} steps", count_for_people(static_cast<uint64_t>(most)));
}

void Budget::check_stack() const {
  constexpr int64_t most = int64_t{1} << 20;
  if (std::abs(static_cast<const char*>(__builtin_frame_address(0)) - stack) > most)
    invalid("the template is nested too deeply, or a macro calls itself without end");
}

Value Scope::get(const std::string& name) const {
  if (const Value* const found = find(names, name)) return *found;
  return outer ? outer->get(name) : Value(Undefined{name});
}

Flow run(const Block& block, Scope& scope, std::string& out) {
  scope.budget.check_stack();
  for (const Statement& statement : block) {
    scope.budget.step();
    if (const Flow flow = statement(scope, out); flow != Flow::on) return flow;
  }
  return Flow::on;
}

}  // namespace rgm::jinja
