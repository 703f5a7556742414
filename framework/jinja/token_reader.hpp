// token_reader.hpp - the tokens of a template one after the other: looking, taking, and saying what was expected.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/lexer.hpp"

namespace rgm::jinja {

class TokenReader {
 public:
  TokenReader(std::vector<Token> tokens, std::string where) : tokens_(std::move(tokens)), where_(std::move(where)) {}

 protected:
  using Kind = Token::Kind;
  const Token& now() const { return tokens_[at_]; }
  const Token& peek() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool is_sign(std::string_view sign) const { return now().kind == Kind::sign && now().value == sign; }
  bool is_name(std::string_view name) const { return now().kind == Kind::name && now().value == name; }
  bool skip_sign(std::string_view sign);
  bool skip_name(std::string_view name);
  void want_sign(std::string_view sign);
  void want_name(std::string_view name);
  std::string want_any_name(const char* what);

  const std::string& where() const { return where_; }
  [[noreturn]] void wrong(const std::string& what) const;

  // Chains, such as a + b + c, are as deep as they are long: the terms of a tag are counted.
  void begin_tag() { terms_ = 0; }
  void one_more_term();
  // Brackets within brackets, and blocks within blocks, as long as it lives.
  struct Deeper {
    explicit Deeper(TokenReader& reader);
    ~Deeper() { --reader.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    TokenReader& reader;
  };

 private:
  std::vector<Token> tokens_;
  std::string where_;
  size_t at_ = 0;
  int depth_ = 0, terms_ = 0;  // of the tag at hand
};

}  // namespace rgm::jinja
