// grammar.cpp - regular rules and a table of the irregular verbs that occur.
#include "stories/grammar.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace rgm::stories {
namespace {

struct Irregular {
  std::string_view base, past, participle;
};
constexpr Irregular irregular[] = {
    {"beat", "beat", "beaten"},   {"blow", "blew", "blown"},    {"bring", "brought", "brought"},
    {"build", "built", "built"},  {"buy", "bought", "bought"},  {"catch", "caught", "caught"},
    {"come", "came", "come"},     {"cut", "cut", "cut"},        {"dig", "dug", "dug"},
    {"draw", "drew", "drawn"},    {"feed", "fed", "fed"},       {"find", "found", "found"},
    {"fly", "flew", "flown"},     {"give", "gave", "given"},    {"go", "went", "gone"},
    {"hang", "hung", "hung"},     {"hold", "held", "held"},     {"keep", "kept", "kept"},
    {"make", "made", "made"},     {"read", "read", "read"},     {"ride", "rode", "ridden"},
    {"run", "ran", "run"},        {"sew", "sewed", "sewn"},     {"sing", "sang", "sung"},
    {"sit", "sat", "sat"},        {"sleep", "slept", "slept"},  {"drink", "drank", "drunk"},
    {"wind", "wound", "wound"},   {"sweep", "swept", "swept"},  {"swim", "swam", "swum"},
    {"take", "took", "taken"},    {"throw", "threw", "thrown"}, {"weave", "wove", "woven"},
    {"write", "wrote", "written"}};

bool vowel(char c) { return std::string_view("aeiou").find(c) != std::string_view::npos; }

// "rub", "stop": one vowel and one consonant at the end of a short verb, so the consonant doubles
bool doubles(std::string_view v) {
  const size_t n = v.size();
  if (n < 3 || n > 4) return false;
  return !vowel(v[n - 1]) && std::string_view("wxy").find(v[n - 1]) == std::string_view::npos && vowel(v[n - 2]) &&
         !vowel(v[n - 3]);
}

std::string third_person(const std::string& v) {
  const char last = v.back(), before = v[v.size() - 2];
  if (last == 'y' && !vowel(before)) return v.substr(0, v.size() - 1) + "ies";
  if (last == 's' || last == 'x' || last == 'o' || (last == 'h' && (before == 's' || before == 'c'))) return v + "es";
  return v + "s";
}

std::string regular_past(const std::string& v) {
  if (v.back() == 'e') return v + "d";
  if (v.back() == 'y' && !vowel(v[v.size() - 2])) return v.substr(0, v.size() - 1) + "ied";
  return v + (doubles(v) ? std::string(1, v.back()) : "") + "ed";
}

std::string present_participle(const std::string& v) {
  if (v.back() == 'e' && v[v.size() - 2] != 'e') return v.substr(0, v.size() - 1) + "ing";
  return v + (doubles(v) ? std::string(1, v.back()) : "") + "ing";
}

}  // namespace

Verb conjugate(std::string_view phrase) {
  const size_t end = std::min(phrase.find(' '), phrase.size());
  const std::string verb(phrase.substr(0, end)), rest(phrase.substr(end));
  const auto* found = std::ranges::find(irregular, verb, &Irregular::base);
  const bool known = found != std::end(irregular);
  const std::string past = known ? std::string(found->past) : regular_past(verb);
  const std::string participle = known ? std::string(found->participle) : past;
  return {verb + rest, third_person(verb) + rest, past + rest, participle + rest, present_participle(verb) + rest};
}

std::string with_article(std::string_view phrase) {
  // The sound decides, not the letter: a useful rope, an hour, a one-eyed cat.
  const bool like_you = phrase.starts_with("use") || phrase.starts_with("uni") || phrase.starts_with("one");
  const bool silent = phrase.starts_with("hour") || phrase.starts_with("honest");
  const bool an = (vowel(phrase.empty() ? ' ' : phrase[0]) && !like_you) || silent;
  return (an ? "an " : "a ") + std::string(phrase);
}

const Pronouns& pronouns(char gender) {
  static const Pronouns she{"she", "her", "her", "herself"}, he{"he", "him", "his", "himself"},
      it{"it", "it", "its", "itself"}, they{"they", "them", "their", "themselves"};
  return gender == 'f' ? she : gender == 'm' ? he : gender == 'p' ? they : it;
}

std::string capitalise(std::string text) {
  bool begin = true;  // a sentence begins with the next letter
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (std::isalpha(c)) {
      if (begin) text[i] = static_cast<char>(std::toupper(c));
      begin = false;
    } else if (c == '\n') {
      begin = true;
    } else if (c == '.' || c == '!' || c == '?') {
      // Within a quotation the next sentence goes on; after its closing mark the template decides: `"Stop!" said he`.
      begin = i + 1 < text.size() && text[i + 1] != '"';
    } else if (c == '"' && i > 0 && text[i - 1] == '.') {
      begin = true;
    }
  }
  return text;
}

}  // namespace rgm::stories
