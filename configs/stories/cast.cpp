// cast.cpp - the tables of who: names, kinds, traits, helpers, and where and when they live.
#include "stories/words.hpp"

namespace rgm::stories {
namespace {

constexpr Name name_table[] = {
    {"Anna", 'f'},  {"Bella", 'f'}, {"Clara", 'f'},  {"Dora", 'f'},   {"Ella", 'f'},  {"Flora", 'f'},  {"Greta", 'f'},
    {"Hazel", 'f'}, {"Ida", 'f'},   {"Juno", 'f'},   {"Kitty", 'f'},  {"Lily", 'f'},  {"Mina", 'f'},   {"Nora", 'f'},
    {"Olive", 'f'}, {"Pia", 'f'},   {"Rosa", 'f'},   {"Stella", 'f'}, {"Tilda", 'f'}, {"Wilma", 'f'},  {"Ada", 'f'},
    {"Arlo", 'm'},  {"Ben", 'm'},   {"Casper", 'm'}, {"Denny", 'm'},  {"Emil", 'm'},  {"Felix", 'm'},  {"Gus", 'm'},
    {"Hugo", 'm'},  {"Ivo", 'm'},   {"Jonas", 'm'},  {"Karl", 'm'},   {"Leo", 'm'},   {"Milo", 'm'},   {"Nils", 'm'},
    {"Otto", 'm'},  {"Paul", 'm'},  {"Rufus", 'm'},  {"Sam", 'm'},    {"Toby", 'm'},  {"Walter", 'm'}, {"Anton", 'm'}};

// The first two are children, by gender; the others are animals that talk as children do.
constexpr std::string_view kind_table[] = {
    "little girl",  "little boy",  "young fox",      "young otter", "small hedgehog", "young rabbit",  "small mouse",
    "young badger", "little bear", "young squirrel", "small mole",  "young beaver",   "orange kitten", "young goat"};

constexpr std::string_view village_table[] = {"Millbrook",   "Thistleford", "Appledown", "Greenhollow",
                                              "Stonebridge", "Otterwick",   "Windmere",  "Oakham",
                                              "Fernley",     "Honeyfield",  "Amberhill", "Larkwood"};

constexpr std::string_view home_table[] = {
    "a small house at the edge of {village}",           "a red house by the mill of {village}",
    "a cottage under an old oak near {village}",        "the last house of {village}",
    "a round little house on the hill above {village}", "a crooked house between two apple trees in {village}"};

constexpr Trait trait_table[] = {
    {"shy",
     "{hero.he} [spoke so softly that people often asked {hero.him} to say it again|hid behind the door when guests "
     "came]",
     "not so shy any more"},
    {"curious",
     "{hero.he} [asked more questions in a day than other children asked in a week|looked under every stone and behind "
     "every door]",
     "as curious as before, but wiser"},
    {"impatient", "{hero.he} [could not wait for anything, not even for the soup to cool|wanted everything at once]",
     "more patient than before"},
    {"proud", "{hero.he} [never asked anybody for help|liked to do everything alone]",
     "no longer too proud to ask for help"},
    {"dreamy", "{hero.he} [often forgot where {hero.he} was going|could watch the clouds for a whole afternoon]",
     "a little more awake to the world"},
    {"cheerful", "{hero.he} [sang from morning to evening|found something to laugh about even on grey days]",
     "more cheerful than ever"},
    {"careful", "{hero.he} [looked three times before {hero.he} crossed the road|always counted the stairs]",
     "careful, but no longer afraid"},
    {"stubborn",
     "once {hero.he} had made up {hero.his} mind, [nobody could change it|even the wind could not turn {hero.him} "
     "around]",
     "still stubborn, but in a good way"},
    {"quiet", "{hero.he} [listened more than {hero.he} talked|knew every bird by its song]",
     "still quiet, but everyone listened when {hero.he} spoke"},
    {"eager", "{hero.he} [was always the first to get up|never walked where {hero.he} could run]",
     "as eager as ever, and a little wiser"}};

constexpr Weather weather_table[] = {
    {"one windy morning in autumn", "the leaves were flying through the streets", "the wind pulled at {hero.his} coat",
     "outside the wind was still singing in the trees"},
    {"one rainy day in spring", "the rain was drumming on the roofs", "the rain ran down {hero.his} neck",
     "the rain was still falling, but nobody minded"},
    {"one hot day in summer", "the sun stood high and the air was full of bees", "the sun burned on {hero.his} head",
     "the sun went down, warm and red, behind the hills"},
    {"one cold morning in winter", "snow lay on all the roofs", "the snow came up to {hero.his} knees",
     "the snow was falling softly on the roofs again"},
    {"one foggy morning in autumn", "the fog was so thick that the houses had no roofs", "the fog hid the path",
     "the fog lay white and still around the house"},
    {"one bright morning in spring", "the first flowers were looking out of the grass",
     "the path was long, and {hero.his} feet grew tired", "the air smelled of grass and flowers"},
    {"one grey day in winter", "ice hung from every window", "the cold bit {hero.his} nose",
     "the stars came out over the frozen fields"},
    {"one clear day at the end of summer", "the apples were ripe and the sky was blue", "the road was dusty and long",
     "the moon rose, round and yellow, over the apple trees"}};

constexpr Name giver_table[] = {{"grandmother", 'f'}, {"grandfather", 'm'}, {"aunt", 'f'},
                                {"uncle", 'm'},       {"mother", 'f'},      {"father", 'm'}};

constexpr Helper helper_table[] = {{"old owl", "count the stars", "in a slow, deep voice", 'f'},
                                   {"beaver", "build a dam", "without looking up", 'm'},
                                   {"grey goose", "wash her feathers", "in a loud voice", 'f'},
                                   {"miller", "carry sacks of flour", "with a laugh", 'm'},
                                   {"baker", "sweep the steps", "kindly", 'f'},
                                   {"ferryman", "mend a net", "after a long while", 'm'},
                                   {"snail", "climb a cabbage leaf", "very slowly", 'f'},
                                   {"old toad", "sit on a wet stone", "in a rough voice", 'm'},
                                   {"shepherd", "count the sheep", "softly", 'm'},
                                   {"weaver", "weave a blue blanket", "with a smile", 'f'},
                                   {"postman", "rest on a bench", "in a friendly voice", 'm'},
                                   {"black cat", "sleep on a wall", "with one eye open", 'f'},
                                   {"gardener", "dig up potatoes", "and leaned on the spade", 'm'},
                                   {"tinker", "mend a kettle", "gently", 'm'},
                                   {"hen", "feed the chicks", "all in one breath", 'f'},
                                   {"lame old donkey", "drink from the well", "in a tired voice", 'm'}};

// Who lives alone behind a wall
constexpr Helper hermit_table[] = {
    {"old clockmaker", "oil a clock", "in a rusty voice", 'm'},
    {"tall widow", "stir a pot", "with a small smile", 'f'},
    {"one-eyed sailor", "carve a little ship", "in a voice like gravel", 'm'},
    {"bearded giant", "water the flowers", "so softly that one could hardly hear it", 'm'},
    {"old witch", "sort buttons", "and blushed", 'f'},
    {"hunchbacked tailor", "sew a button on a coat", "very politely", 'm'},
    {"grey wolf", "read a thick book", "and took off her glasses", 'f'},
    {"ugly old troll", "wash the cups", "with tears in his eyes", 'm'}};

constexpr Trade trade_table[] = {{"beekeeper", "a jar of honey", "paint the hives", 'm'},
                                 {"shepherd", "a ball of soft wool", "look for a lost lamb", 'm'},
                                 {"baker", "a loaf of warm bread", "carry wood for the oven", 'f'},
                                 {"fisherman", "a fine silver fish", "wash the boat", 'm'},
                                 {"farmer", "a basket of eggs", "feed the hens", 'f'},
                                 {"candle maker", "a tall white candle", "sort the old wax", 'f'},
                                 {"potter", "a small green bowl", "dig some clay", 'm'},
                                 {"gardener", "a bunch of dry lavender", "sweep the greenhouse", 'f'},
                                 {"weaver", "a piece of blue cloth", "wind up the yarn", 'f'},
                                 {"miller", "a bag of flour", "sweep the mill", 'm'}};

constexpr std::string_view contest_table[] = {"foot race", "race up the hill", "race around the lake",
                                              "three-mile race", "race through the fields"};

}  // namespace

std::span<const Name> names() { return name_table; }
std::span<const std::string_view> kinds() { return kind_table; }
std::span<const std::string_view> villages() { return village_table; }
std::span<const std::string_view> homes() { return home_table; }
std::span<const Trait> traits() { return trait_table; }
std::span<const Weather> weathers() { return weather_table; }
std::span<const Name> givers() { return giver_table; }
std::span<const Helper> helpers() { return helper_table; }
std::span<const Helper> hermits() { return hermit_table; }
std::span<const Trade> trades() { return trade_table; }
std::span<const std::string_view> contests() { return contest_table; }

}  // namespace rgm::stories
