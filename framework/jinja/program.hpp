// program.hpp - what a template is parsed to: functions that compute values and append text.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "jinja/value.hpp"

namespace rgm::jinja {

// A template comes with a model from anywhere: one that goes on without end is stopped.
struct Budget {
  int64_t most = 500'000;  // and more where there is more to write
  int64_t steps = most;    // that are left
  size_t bytes = size_t{16} << 20;
  const char* stack = nullptr;                              // where the frames of the template begin
  const std::string* text = nullptr;                        // of the whole template, while it grows
  std::vector<std::pair<size_t, size_t>>* spans = nullptr;  // in it, of what was marked as generated
  void step(int64_t n = 1);
  void check_stack() const;  // a template that calls itself, or is nested without end, must not end the program
};

// Names within a loop or a macro; those outside are seen and not changed.
struct Scope {
  Budget& budget;
  const Scope* outer = nullptr;
  Map names{};
  const Scope& outermost() const { return outer ? outer->outermost() : *this; }
  Value get(const std::string& name) const;
};

using Expression = std::function<Value(Scope&)>;
enum class Flow { on, next, stop };  // of a loop: `continue`, `break`
using Statement = std::function<Flow(Scope&, std::string& out)>;
using Block = std::vector<Statement>;

Flow run(const Block& block, Scope& scope, std::string& out);

}  // namespace rgm::jinja
