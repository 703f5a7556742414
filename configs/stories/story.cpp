// story.cpp - draws the cast of a story, writes it down as facts, and fills the plot's paragraphs.
#include "stories/story.hpp"

#include <utility>

#include "stories/grammar.hpp"
#include "stories/plots.hpp"
#include "stories/template.hpp"
#include "stories/words.hpp"

namespace rgm::stories {
namespace {

void add_pronouns(Facts& facts, const std::string& of, char gender) {
  const Pronouns& p = pronouns(gender);
  facts[of + ".he"] = p.he;
  facts[of + ".him"] = p.him;
  facts[of + ".his"] = p.his;
  facts[of + ".himself"] = p.himself;
}

void add_verb(Facts& facts, const std::string& key, std::string_view phrase) {
  const Verb verb = conjugate(phrase);
  facts[key] = verb.base;
  facts[key + ".third"] = verb.third;
  facts[key + ".past"] = verb.past;
  facts[key + ".ing"] = verb.ing;
}

void add_child(Facts& facts, const std::string& key, const Name& name, std::string_view kind) {
  facts[key] = name.name;
  facts[key + ".kind"] = kind;
  add_pronouns(facts, key, name.gender);
}

// How a signal is given, and how it reaches others
std::pair<std::string_view, std::string_view> use_of(std::string_view noun) {
  if (noun == "bell") return {"rang the bell with both hands", "heard"};
  if (noun == "drum") return {"beat the drum as hard as {hero.he} could", "heard"};
  if (noun == "rattle") return {"shook the rattle over {hero.his} head", "heard"};
  if (noun == "lamp") return {"swung the lamp from side to side", "saw"};
  return {"blew the {object.noun} until {hero.his} cheeks hurt", "heard"};
}

void add_object(Facts& facts, const Thing& thing) {
  const bool many = thing.number == 'p';
  facts["object"] = thing.name;
  facts["the object"] = "the " + std::string(thing.name);
  facts["object.a"] = thing.whole;
  facts["object.noun"] = thing.noun;
  facts["object.noun.one"] = (many ? "pair of " : "") + std::string(thing.noun);
  facts["object.look"] = thing.look;
  facts["object.it"] = many ? "they" : "it";
  facts["object.them"] = many ? "them" : "it";
  facts["object.was"] = many ? "were" : "was";
  facts["object.is"] = many ? "are" : "is";
  const auto [use, sense] = use_of(thing.noun);
  facts["object.use"] = use;
  facts["object.sense"] = sense;
}

void add_trade(Facts& facts, const std::string& key, const Trade& trade) {
  facts[key] = trade.who;
  facts[key + ".has"] = trade.has;
  facts[key + ".wants"] = trade.wants;
  add_pronouns(facts, key, trade.gender);
}

// A child's kind, by gender where the kind has one
std::string_view kind_of(const Name& name, Dice& dice) {
  const size_t n = dice.roll(kinds().size());
  return n < 2 ? kinds()[name.gender == 'f' ? 0 : 1] : kinds()[n];
}

// One of `from` that differs from `other` in what `same` compares
template <class T, class Same>
const T& pick_other(std::span<const T> from, Dice& dice, Same same) {
  for (;;)
    if (const T& found = dice.pick(from); !same(found)) return found;
}

Facts draw_cast(const Plot& plot, Dice& dice) {
  Facts facts;
  for (const Phrase& phrase : phrases()) facts[std::string(phrase.name)] = phrase.text;

  const Name& hero = dice.pick(names());
  // The friend is of the other gender, so that "he" and "she" are always clear.
  const Name& friend_name = pick_other(names(), dice, [&](const Name& n) { return n.gender == hero.gender; });
  const std::string_view kind = kind_of(hero, dice);
  add_child(facts, "hero", hero, kind);
  std::string_view other = kind_of(friend_name, dice);
  while (other == kind) other = kind_of(friend_name, dice);
  add_child(facts, "friend", friend_name, other);

  const Name& giver = dice.pick(givers());
  facts["giver"] = giver.name;
  add_pronouns(facts, "giver", giver.gender);
  facts["village"] = dice.pick(villages());
  facts["home"] = dice.pick(homes());
  facts["contest"] = dice.pick(contests());

  const Trait& trait = dice.pick(traits());
  facts["trait"] = trait.trait;
  facts["trait.about"] = trait.about;
  facts["trait.better"] = trait.better;

  const Weather& weather = dice.pick(weathers());
  facts["weather.time"] = weather.time;
  facts["weather.sky"] = weather.sky;
  facts["weather.going"] = weather.going;
  facts["weather.end"] = weather.end;

  const Helper& helper = dice.pick(plot.name == "stranger" ? hermits() : helpers());
  facts["helper"] = helper.who;
  facts["helper.voice"] = helper.voice;
  add_verb(facts, "helper.work", helper.work);
  add_pronouns(facts, "helper", helper.gender);

  const Obstacle& obstacle = dice.pick(obstacles());
  facts["obstacle.place"] = obstacle.place;
  facts["obstacle.beyond"] = obstacle.beyond;
  facts["obstacle.fear"] = obstacle.fear;
  facts["obstacle.first_try"] = obstacle.first_try;
  facts["obstacle.second_try"] = obstacle.second_try;
  facts["obstacle.tool"] = obstacle.tool;
  facts["obstacle.advice"] = obstacle.advice;
  facts["obstacle.success"] = obstacle.success;

  const Skill& skill = dice.pick(skills());
  add_verb(facts, "skill", skill.phrase);
  facts["skill.failure"] = skill.failure;
  facts["skill.lesson"] = skill.lesson;
  facts["skill.need"] = skill.need;
  facts["skill.deed"] = skill.deed;
  const auto things = plot.objects();
  add_object(facts, things.empty() ? skill.thing : dice.pick(things));

  const Trade& first = dice.pick(trades());
  add_trade(facts, "trade.first", first);
  add_trade(facts, "trade.second", pick_other(trades(), dice, [&](const Trade& t) { return t.who == first.who; }));
  return facts;
}

}  // namespace

Story tell(uint64_t seed, uint64_t number) {
  Dice dice(seed, number);
  const Plot& plot = dice.pick(plots());
  const Facts facts = draw_cast(plot, dice);
  std::string text;
  for (const std::string_view paragraph : plot.paragraphs) text += fill(paragraph, facts, dice) + "\n";
  return {capitalise(std::move(text)), std::string(plot.name), facts.at("hero"), facts.at("object.noun")};
}

std::string collect(size_t bytes, uint64_t seed) {
  std::string out;
  for (uint64_t number = 0; out.size() < bytes; ++number) {
    if (number > 0) out += "\n";
    out += tell(seed, number).text;
  }
  return out;
}

}  // namespace rgm::stories
