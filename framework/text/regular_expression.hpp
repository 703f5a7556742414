// regular_expression.hpp - a pattern that a whole text fits, as Python's re.fullmatch has it, through PCRE2.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace rgm {

class RegularExpression {
 public:
  // RGM_INVALID with the place of what is wrong; `where` begins the message.
  RegularExpression(const std::string& pattern, const std::string& where);
  // RGM_INVALID where the pattern takes too many steps to tell.
  bool fits(std::string_view text) const;

 private:
  std::shared_ptr<const void> code_;
  std::string where_;
};

}  // namespace rgm
