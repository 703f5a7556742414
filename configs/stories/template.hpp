// template.hpp - sentences with gaps. {hero} is a fact, {a friend.kind} one with its article, {tell} another template
// by that name; [this|that] is one of several, and brackets may stand in brackets.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "stories/dice.hpp"

namespace rgm::stories {

using Facts = std::map<std::string, std::string, std::less<>>;

// Throws std::out_of_range naming a fact that is not there: a mistake in a template.
std::string fill(std::string_view text, const Facts& facts, Dice& dice);

}  // namespace rgm::stories
