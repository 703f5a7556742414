// foreign_names.hpp - what keys from other tools are called here, and which of our own keys stand in another place.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace rgm {

// The end of a sentence that begins with `unknown key "lr" in WHERE: `. Empty where the name is not known.
std::string answer_to_foreign_name(std::string_view where, std::string_view name, std::span<const std::string> known);

}  // namespace rgm
