// statements.hpp - tokens of a template to what appends its text, a statement after the other.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/expressions.hpp"
#include "jinja/program.hpp"

namespace rgm::jinja {

class StatementParser : ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Block all() { return block({}); }
  bool marks_answers = false;  // there was a {% generation %} in it

 private:
  // Up to the tag of one of these names, which is not taken.
  Block block(std::initializer_list<std::string_view> until);
  void end_tag();
  // The tag at hand, whose name is known.
  void closing(std::string_view name);

  Statement statement();
  Statement conditional();
  Statement loop();
  Statement assignment();
  Statement macro();
  Statement generation();
  // What {% else %} has, where it stands in front of {% end %}; nothing otherwise.
  Block else_until(std::string_view end);

  using Names = std::vector<std::string>;
  Names targets();
  // One name, or several that share a list's elements.
  static void assign(Scope& scope, const Names& names, const Value& value);

  bool marking_ = false;
};

}  // namespace rgm::jinja
