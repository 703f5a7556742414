// grammar.hpp - the little English that the stories need: forms of verbs, articles, agreement, capital letters.
#pragma once
#include <string>
#include <string_view>

namespace rgm::stories {

// The forms of a verb phrase; its first word is the verb: "carry the wood" -> carries, carried, carrying the wood.
struct Verb {
  std::string base, third, past, participle, ing;
};
Verb conjugate(std::string_view phrase);

// "a fox", "an old fox"
std::string with_article(std::string_view phrase);

struct Pronouns {
  std::string_view he, him, his, himself;
};
const Pronouns& pronouns(char gender);  // 'f', 'm', or 'n' for a thing, 'p' for several

// Capital letters where sentences begin, also those in quotes at the beginning of a sentence.
std::string capitalise(std::string text);

}  // namespace rgm::stories
