// statements.cpp - what a template is made of: text, {{ expressions }}, and tags, of which if and generation are here.
#include "jinja/statements.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace rgm::jinja {
namespace {

void append(Scope& scope, std::string& out, std::string_view text) {
  if (text.size() > scope.budget.bytes - std::min(scope.budget.bytes, out.size()))
    invalid("the text grows beyond {} bytes", scope.budget.bytes);
  out += text;
}

}  // namespace

Block StatementParser::block(std::initializer_list<std::string_view> until) {
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

void StatementParser::end_tag() {
  if (now().kind != Kind::tag_end) wrong(fmt::format("\"{}\" where %}} was expected", now().value));
  take();
}
void StatementParser::closing(std::string_view name) {
  take();
  want_name(name);
  end_tag();
}

Statement StatementParser::statement() {
  const std::string name = want_any_name("a statement");
  if (name == "if") return conditional();
  if (name == "for") return loop();
  if (name == "set") return assignment();
  if (name == "macro") return macro();
  if (name == "break" || name == "continue") {
    end_tag();
    return [flow = name == "break" ? Flow::stop : Flow::next](Scope&, std::string&) { return flow; };
  }
  if (name == "generation") return generation();
  if (name.starts_with("end") || name == "else" || name == "elif")
    wrong(fmt::format("\"{}\" without its beginning", name));
  wrong(fmt::format("the statement \"{}\" is not known; there are if, for, set, macro, break, continue and raw", name));
}

Statement StatementParser::conditional() {
  std::vector<std::pair<Expression, Block>> branches;
  do {
    Expression condition = placed(expression());
    end_tag();
    branches.emplace_back(std::move(condition), block({"elif", "else", "endif"}));
    take();
  } while (skip_name("elif"));
  return [branches, otherwise = else_until("endif")](Scope& scope, std::string& out) {
    for (const auto& [holds, body] : branches)
      if (holds(scope).truth()) return run(body, scope, out);
    return run(otherwise, scope, out);
  };
}

Block StatementParser::else_until(std::string_view end) {
  Block out;
  if (skip_name("else")) {
    end_tag();
    out = block({end});
    take();
  }
  want_name(end);
  end_tag();
  return out;
}

// transformers' mark around what the assistant says.
Statement StatementParser::generation() {
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

}  // namespace rgm::jinja
