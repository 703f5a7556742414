// ending.hpp - how a command ends that throws: the message, and the exit status.
#pragma once
#include <exception>
#include <string>
#include <string_view>

namespace rgm::cli {

struct Ending {
  std::string text;
  int status = 1;
};
Ending ending_of(const std::exception_ptr& thrown);

// On stderr, whether anybody reads it or not.
void complain(std::string_view text);

}  // namespace rgm::cli
