// words.hpp - who and what may occur in a story, in tables; a table's columns become facts.
#pragma once
#include <span>
#include <string_view>

namespace rgm::stories {

struct Name {
  std::string_view name;
  char gender;  // f or m
};
struct Trait {
  std::string_view trait, about, better;  // "shy", what that looks like, what it becomes
};
struct Weather {
  std::string_view time, sky, going, end;  // when, how it looks, how it hinders, how it is at the end
};
// Something to own: `whole` with its article, `noun` for short, `look` for a clause; 'p' for several
struct Thing {
  std::string_view whole, name, noun, look;
  char number;
};
struct Helper {
  std::string_view who, work, voice;
  char gender;
};
// What stands between the hero and the goal. Its tool is the one that helps, and no other.
struct Obstacle {
  std::string_view place, beyond, fear, first_try, second_try, tool, advice, success;
};
struct Skill {
  std::string_view phrase;
  Thing thing;
  std::string_view failure, lesson, need, deed;
};
struct Trade {
  std::string_view who, has, wants;  // `wants` is a verb phrase that a child can do
  char gender;
};

std::span<const Name> names();
std::span<const std::string_view> kinds();
std::span<const std::string_view> villages();
std::span<const std::string_view> homes();
std::span<const Trait> traits();
std::span<const Weather> weathers();
std::span<const Name> givers();
std::span<const Thing> treasures();  // what a child owns and loves
std::span<const Thing> fragile();    // what breaks
std::span<const Thing> for_two();    // what two can quarrel about
std::span<const Thing> presents();
std::span<const Thing> prizes();
std::span<const Thing> signals();  // what can be heard or seen from afar
std::span<const Thing> thrown();   // what flies over a wall
std::span<const Helper> helpers();
std::span<const Helper> hermits();
std::span<const Obstacle> obstacles();
std::span<const Skill> skills();
std::span<const Trade> trades();
std::span<const std::string_view> contests();

}  // namespace rgm::stories
