// checker.hpp - how the checks of a plug-in's constant fail: with the file, what is wrong, and who can mend it.
#pragma once
#include <regimen/abi.h>

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace rgm {

class Checker {
 public:
  explicit Checker(std::string_view file) : file_(file) {}

  template <class... A>
  void expect(bool condition, fmt::format_string<A...> text, A&&... args) const {
    if (!condition) invalid("{}: {}; its author has to correct it", file_, fmt::format(text, std::forward<A>(args)...));
  }
  void size(uint32_t came, size_t wanted, std::string_view what) const {
    constexpr uint32_t largest = 1 << 16;  // far above any table: beyond it, the bytes are not a table
    expect(came >= wanted && came <= largest, "{} has struct_size {}, expected at least {}", what, came, wanted);
  }

 private:
  std::string_view file_;
};

// The component's table: the functions that its kind must have, and the lists that it names. `name` is for messages.
void check_table(const Checker& check, const rgm_component& component, const std::string& name);

}  // namespace rgm
