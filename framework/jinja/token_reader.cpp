// token_reader.cpp - what a template says next, and where it is nested too deeply or goes on for too long.
#include "jinja/token_reader.hpp"

#include "base/error.hpp"

namespace rgm::jinja {

void TokenReader::wrong(const std::string& what) const { invalid("{}:{}: {}", where_, now().line, what); }

bool TokenReader::skip_sign(std::string_view sign) {
  if (!is_sign(sign)) return false;
  take();
  return true;
}
bool TokenReader::skip_name(std::string_view name) {
  if (!is_name(name)) return false;
  take();
  return true;
}
void TokenReader::want_sign(std::string_view sign) {
  if (!skip_sign(sign)) wrong(fmt::format("\"{}\" where {} was expected", now().value, sign));
}
void TokenReader::want_name(std::string_view name) {
  if (!skip_name(name)) wrong(fmt::format("\"{}\" where {} was expected", now().value, name));
}
std::string TokenReader::want_any_name(const char* what) {
  if (now().kind != Kind::name) wrong(fmt::format("\"{}\" where {} was expected", now().value, what));
  return take().value;
}

void TokenReader::one_more_term() {
  if (++terms_ > 1000) wrong("an expression of more than 1,000 parts");
}

TokenReader::Deeper::Deeper(TokenReader& r) : reader(r) {
  constexpr int deepest = 100;
  if (++reader.depth_ > deepest) reader.wrong(fmt::format("nested more than {} deep", deepest));
}

}  // namespace rgm::jinja
