// phrases.cpp - sentences that every plot may use.
#include "stories/plots.hpp"

namespace rgm::stories {
namespace {

constexpr Phrase phrase_table[] = {
    {"opening",
     "[Once there was {a hero.kind} named {hero}, who lived in {home} with {hero.his} {giver}|In {home} there lived {a "
     "hero.kind} whose name was {hero}|{hero} was {a hero.kind} who lived in {home}|A long time ago, {a hero.kind} "
     "called {hero} lived with {hero.his} {giver} in {home}]. [{hero} was {trait}: {trait.about}|Everybody knew that "
     "{hero} was {trait}, for {trait.about}|{hero} was so {trait} that people smiled about it; {trait.about}]."},
    {"morning",
     "[{weather.time}, when {weather.sky},|It happened {weather.time}. While {weather.sky},|{weather.time} "
     "{weather.sky}, and on that day]"},
    {"owns",
     "[What {hero} loved most in the world was {object.a} with {object.look}|{hero} had {object.a} with {object.look}, "
     "and {hero.he} took {object.them} everywhere|On {hero.his} last birthday {hero} had been given {object.a} with "
     "{object.look}]. [{hero.his} {giver} had made {object.them} with {giver.his} own hands|{object.it} had come from "
     "{hero.his} {giver}, who had saved money for a whole year|{hero.he} put {object.them} beside {hero.his} bed every "
     "night]."},
    {"walk",
     "[{hero} set out at once, though {weather.going}|So {hero} walked and walked, and {weather.going}|The way was not "
     "easy, because {weather.going}, but {hero} did not turn back|Although {weather.going}, {hero} went on]."},
    {"greet",
     "[By the road {hero} met {a helper}, who was {helper.work.ing}|Behind the last house {a helper} was "
     "{helper.work.ing}|Soon {hero} saw {a helper}, who {helper.work.past} there every day]."},
    {"ask",
     "[\"Good day,\" said {hero}. \"Can you help me?\"|\"Excuse me,\" said {hero}, \"may I ask you something?\"|{hero} "
     "took a deep breath. \"Please,\" {hero.he} said, \"I need some help.\"] [\"What is the matter?\" asked the "
     "{helper}.|\"Tell me what is wrong,\" said the {helper}.|The {helper} looked up. \"You look sad, child,\" "
     "{helper.he} said. \"Speak.\"]"},
    {"thanks",
     "[\"Thank you!\" said {hero}|\"I will never forget this,\" said {hero}|{hero} thanked {helper.him} with all "
     "{hero.his} heart|\"You are very kind,\" said {hero}, and bowed]."},
    {"fearful",
     "[{hero} had always been afraid of {obstacle.fear}|Now, there was one thing that {hero} feared, and that was "
     "{obstacle.fear}|{hero}'s heart beat fast, for {hero.he} was afraid of {obstacle.fear}]."},
    {"brave",
     "[\"I am still afraid,\" {hero} whispered, \"but I will go anyway.\"|{hero}'s knees shook, but {hero.he} did not "
     "run away this time.|{hero} was afraid, and {hero.he} went all the same; that is what being brave means.]"},
    {"friendly", "[{friend}, {a friend.kind} who lived next door|{hero.his} friend {friend}, {a friend.kind}]"},
    {"sad",
     "[{hero} sat down on a stone and cried a little|{hero} felt a lump in {hero.his} throat|For a while {hero} said "
     "nothing at all|{hero} could not eat {hero.his} supper]."},
    {"evening",
     "[That evening they all sat around the table, and {weather.end}|Then they ate soup together, and "
     "{weather.end}|{hero} sat at the window and was happy, and {weather.end}]."},
    {"changed",
     "[From that day on, {hero} was {trait.better}|People say that after all this {hero} was {trait.better}|After all "
     "this {hero} was {trait.better}]"},
    {"moral.help", "[a good friend is the best tool|asking for help is no shame|two heads find more than one]"},
    {"moral.brave",
     "[being brave does not mean being without fear|courage grows while you walk|nobody is braver than the one who is "
     "afraid and goes anyway]"},
    {"moral.practice",
     "[nobody is born a master|slow steps reach the top of the hill too|every song begins with one wrong note]"},
    {"moral.truth",
     "[the truth is light to carry, and a lie is heavy|what is mended honestly holds for ever|a lie grows when you "
     "hide it and melts when you tell it]"},
    {"moral.share",
     "[what you share is not halved but doubled|a thing is worth as much as the friend you share it with|it is better "
     "to have half of something together than all of it alone]"},
    {"moral.gift",
     "[the best part of a present is the way it came|a present is worth the love that went into it|no coin can buy "
     "what patient hands can earn]"},
    {"moral.kind",
     "[it is better to be kind than to be first|some races are won by those who stop|a helping hand is worth more than "
     "fast feet]"},
    {"moral.stranger",
     "[you must knock at a door before you know who lives behind it|a stranger is often only a friend who has not been "
     "asked yet|people tell many stories about what they have never seen]"}};

}  // namespace

std::span<const Phrase> phrases() { return phrase_table; }

}  // namespace rgm::stories
