// lexer.hpp - a template as tokens. White space around tags goes as transformers sets Jinja up: trim_blocks and
// lstrip_blocks are on, and a newline at the very end is dropped.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace rgm::jinja {

struct Token {
  enum class Kind { data, expression_begin, expression_end, tag_begin, tag_end, name, integer, real, text, sign, end };
  Kind kind;
  std::string value;
  int line;
};

// RGM_INVALID beginning with where:line.
std::vector<Token> tokens_of(std::string_view text, const std::string& where);

}  // namespace rgm::jinja
