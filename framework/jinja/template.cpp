// template.cpp - the statements of a template, and running them.
#include "jinja/template.hpp"

#include <algorithm>
#include <ctime>

#include "base/error.hpp"
#include "base/text.hpp"
#include "jinja/arguments.hpp"
#include "jinja/program.hpp"

namespace rgm::jinja {
namespace {

using Kind = Token::Kind;
using Names = std::vector<std::string>;

void append(Scope& scope, std::string& out, std::string_view text) {
  if (text.size() > scope.budget.bytes - std::min(scope.budget.bytes, out.size()))
    invalid("the text grows beyond {} bytes", scope.budget.bytes);
  out += text;
}

// One name, or several that share a list's elements.
void assign(Scope& scope, const Names& names, const Value& value) {
  if (names.size() == 1) return set(scope.names, names[0], value);
  const List all = items_of(value, "what is unpacked");
  if (all.size() != names.size()) invalid("{} values for {} names", all.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) set(scope.names, names[i], all[i]);
}

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

class Parser : ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;
  bool marks_answers = false, marking_ = false;

  Block all() { return block({}); }

 private:
  // Up to the tag of one of these names, which is not taken.
  Block block(std::initializer_list<std::string_view> until) {
    const Deeper deeper(*this);
    Block out;
    for (;;) {
      if (now().kind == Kind::end) {
        if (until.size() > 0) wrong(fmt::format("the template ends where {{% {} %}} was expected", *(until.end() - 1)));
        return out;
      }
      if (now().kind == Kind::data) {
        out.push_back([text = take().value](Scope& scope, std::string& to) {
          append(scope, to, text);
          return Flow::on;
        });
      } else if (now().kind == Kind::expression_begin) {
        begin_tag();
        take();
        out.push_back([e = placed(tuple())](Scope& scope, std::string& to) {
          append(scope, to, e(scope).shown());
          return Flow::on;
        });
        if (now().kind != Kind::expression_end) wrong(fmt::format("\"{}\" where }}}} was expected", now().value));
        take();
      } else {
        if (std::ranges::find(until, peek().value) != until.end()) return out;
        begin_tag();
        take();
        out.push_back(statement());
      }
    }
  }

  void end_tag() {
    if (now().kind != Kind::tag_end) wrong(fmt::format("\"{}\" where %}} was expected", now().value));
    take();
  }
  // The tag at hand, whose name is known.
  void closing(std::string_view name) {
    take();
    want_name(name);
    end_tag();
  }

  Statement statement() {
    const std::string name = want_any_name("a statement");
    if (name == "if") return conditional();
    if (name == "for") return loop();
    if (name == "set") return assignment();
    if (name == "macro") return macro();
    if (name == "break" || name == "continue") {
      end_tag();
      return [flow = name == "break" ? Flow::stop : Flow::next](Scope&, std::string&) { return flow; };
    }
    if (name == "generation") {  // transformers' mark around what the assistant says
      end_tag();
      if (std::exchange(marking_, true)) wrong("generation within generation");
      Block body = block({"endgeneration"});
      closing("endgeneration");
      marking_ = false;
      marks_answers = true;
      return [body](Scope& scope, std::string& out) {
        const size_t begin = out.size();
        const Flow flow = run(body, scope, out);
        if (scope.budget.spans && &out == scope.budget.text) scope.budget.spans->emplace_back(begin, out.size());
        return flow;
      };
    }
    if (name.starts_with("end") || name == "else" || name == "elif")
      wrong(fmt::format("\"{}\" without its beginning", name));
    wrong(
        fmt::format("the statement \"{}\" is not known; there are if, for, set, macro, break, continue and raw", name));
  }

  Statement conditional() {
    std::vector<std::pair<Expression, Block>> branches;
    Block otherwise;
    Expression condition = placed(expression());
    end_tag();
    for (;;) {
      branches.emplace_back(std::move(condition), block({"elif", "else", "endif"}));
      take();
      if (skip_name("elif")) {
        condition = placed(expression());
        end_tag();
        continue;
      }
      if (skip_name("else")) {
        end_tag();
        otherwise = block({"endif"});
        take();
      }
      want_name("endif");
      end_tag();
      break;
    }
    return [branches, otherwise](Scope& scope, std::string& out) {
      for (const auto& [holds, body] : branches)
        if (holds(scope).truth()) return run(body, scope, out);
      return run(otherwise, scope, out);
    };
  }

  Names targets() {
    Names out;
    const bool in_brackets = skip_sign("(");
    do out.push_back(want_any_name("a name"));
    while (skip_sign(","));
    if (in_brackets) want_sign(")");
    return out;
  }

  Statement loop() {
    const Names names = targets();
    want_name("in");
    const Expression over = placed(tuple(false));
    Expression only;
    if (skip_name("if")) only = placed(expression());
    if (is_name("recursive")) wrong("recursive loops are not supported");
    end_tag();
    const Block body = block({"else", "endfor"});
    Block otherwise;
    take();
    if (skip_name("else")) {
      end_tag();
      otherwise = block({"endfor"});
      take();
    }
    want_name("endfor");
    end_tag();
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

  // {% set a = 1 %}, {% set a, b = x %}, {% set ns.a = 1 %}, {% set a %}text{% endset %}
  Statement assignment() {
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

  Statement macro() {
    const std::string name = want_any_name("a macro's name");
    std::vector<std::pair<std::string, Expression>> parameters;
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
};

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

Map built_in() {
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

}  // namespace

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

struct Template::Program {
  Block block;
  std::string where;
  bool marks_answers;
};

Template::Template(std::string_view text, const std::string& where) {
  Parser parser(tokens_of(text, where), where);
  Block block = parser.all();
  program_ = std::make_shared<const Program>(Program{std::move(block), where, parser.marks_answers});
}

bool Template::marks_answers() const { return program_->marks_answers; }

std::string Template::render(const nlohmann::ordered_json& values, Spans* spans) const {
  Budget budget;
  budget.spans = spans;
  budget.stack = static_cast<const char*>(__builtin_frame_address(0));
  Scope scope{budget, nullptr, built_in()};
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
