// things.cpp - the tables of what: things that are loved, broken, shared, given, won, heard; obstacles and skills.
#include "stories/words.hpp"

namespace rgm::stories {
namespace {

constexpr Thing treasure_table[] = {
    {"a red kite", "red kite", "kite", "a long yellow tail", 'n'},
    {"a silver bell", "silver bell", "bell", "a sound as clear as water", 'n'},
    {"a blue scarf", "blue scarf", "scarf", "white stars along the edge", 'n'},
    {"a wooden horse", "wooden horse", "horse", "a mane of real wool", 'n'},
    {"an old brass key", "brass key", "key", "a green ribbon", 'n'},
    {"a pair of warm mittens", "warm mittens", "mittens", "a snowflake on each", 'p'},
    {"a bag of glass marbles", "glass marbles", "marbles", "all the colours of the rainbow", 'p'},
    {"a little drum", "little drum", "drum", "two painted lions", 'n'},
    {"a pair of yellow boots", "yellow boots", "boots", "shining buckles", 'p'},
    {"an orange ball", "orange ball", "ball", "a white stripe", 'n'},
    {"a picture book", "picture book", "book", "golden letters on the cover", 'n'},
    {"a straw hat", "straw hat", "hat", "a feather on one side", 'n'},
    {"a small harp", "small harp", "harp", "seven thin strings", 'n'},
    {"a green lantern", "green lantern", "lantern", "a tiny door of glass", 'n'}};

constexpr Thing fragile_table[] = {{"a blue teapot", "blue teapot", "teapot", "a swan on the lid", 'n'},
                                   {"a glass lamp", "glass lamp", "lamp", "a shade like a tulip", 'n'},
                                   {"a clay bird", "clay bird", "bird", "one red wing", 'n'},
                                   {"an old music box", "music box", "music box", "a dancer who turned", 'n'},
                                   {"a china cup", "china cup", "cup", "a ring of violets", 'n'},
                                   {"a wooden clock", "wooden clock", "clock", "a sleepy cuckoo", 'n'},
                                   {"a round mirror", "round mirror", "mirror", "a frame of shells", 'n'},
                                   {"a painted jug", "painted jug", "jug", "three ships on its side", 'n'},
                                   {"a violin", "brown violin", "violin", "a very thin neck", 'n'},
                                   {"a pair of reading glasses", "reading glasses", "glasses", "golden rims", 'p'}};

constexpr Thing for_two_table[] = {{"a wooden boat", "wooden boat", "boat", "one oar on each side", 'n'},
                                   {"a green tent", "green tent", "tent", "two poles", 'n'},
                                   {"a long sledge", "long sledge", "sledge", "room for two", 'n'},
                                   {"a little cart", "little cart", "cart", "two handles", 'n'},
                                   {"an old see-saw", "old see-saw", "see-saw", "two little seats", 'n'},
                                   {"a basket of apples", "basket", "basket", "two strong handles", 'n'},
                                   {"an old swing", "old swing", "swing", "two thick ropes", 'n'}};

constexpr Thing present_table[] = {
    {"a red shawl", "red shawl", "shawl", "long soft fringes", 'n'},
    {"a carved walking stick", "walking stick", "stick", "a fox's head on top", 'n'},
    {"a silver thimble", "silver thimble", "thimble", "a row of tiny leaves", 'n'},
    {"an ivory comb", "ivory comb", "comb", "a rose on its back", 'n'},
    {"a pair of slippers", "soft slippers", "slippers", "blue ribbons", 'p'},
    {"a yellow bird cage", "yellow bird cage", "cage", "a door that was always open", 'n'},
    {"a pair of silver spoons", "silver spoons", "spoons", "long thin handles", 'p'},
    {"a copper kettle", "copper kettle", "kettle", "a spout that sang", 'n'}};

constexpr Thing prize_table[] = {{"a silver cup", "silver cup", "cup", "two handles", 'n'},
                                 {"a golden ribbon", "golden ribbon", "ribbon", "a knot like a rose", 'n'},
                                 {"a brass trumpet", "brass trumpet", "trumpet", "a blue cord", 'n'},
                                 {"an old painted shield", "painted shield", "shield", "a lion and a tree", 'n'},
                                 {"a white flag", "white flag", "flag", "a golden sun", 'n'},
                                 {"an iron crown", "iron crown", "crown", "five points", 'n'}};

constexpr Thing signal_table[] = {{"a small brass bell", "brass bell", "bell", "a crack that made it sound funny", 'n'},
                                  {"an old horn", "old horn", "horn", "a sound like a cow", 'n'},
                                  {"a round drum", "round drum", "drum", "a skin as tight as could be", 'n'},
                                  {"a tin whistle", "tin whistle", "whistle", "only four notes", 'n'},
                                  {"a bright lamp", "bright lamp", "lamp", "a very tall flame", 'n'},
                                  {"a rattle made of nuts", "rattle", "rattle", "a noise that woke the cats", 'n'}};

constexpr Thing thrown_table[] = {{"a leather ball", "leather ball", "ball", "a seam like a smile", 'n'},
                                  {"a paper kite", "paper kite", "kite", "a face with a big mouth", 'n'},
                                  {"a feather arrow", "feather arrow", "arrow", "a blunt red tip", 'n'},
                                  {"a round wooden disc", "wooden disc", "disc", "a painted sun", 'n'},
                                  {"a little glider", "little glider", "glider", "wings of thin wood", 'n'}};

constexpr Obstacle obstacle_table[] = {
    {"the river", "on the other side of the river", "deep water",
     "{hero} tried to jump from stone to stone, but the stones were wet, and {hero.he} slid back to the bank with cold "
     "feet",
     "{hero} pushed a log into the water and sat on it, but the log rolled over, and there {hero.he} was, as wet as a "
     "fish",
     "a long pole", "never fight with a river; lean on the pole and let your feet feel the way",
     "{hero} held the pole with both hands, felt for the flat stones under the water, and went across, step by step"},
    {"the black cave", "at the back of the black cave", "the dark",
     "{hero} ran into the cave as fast as {hero.he} could, but after ten steps it was so dark that {hero.he} ran out "
     "again even faster",
     "{hero} shut {hero.his} eyes and felt along the wall, but the wall was cold and wet, and {hero.he} hit {hero.his} "
     "head on a rock",
     "a small lantern", "the dark is only a room where nobody has lit a light yet",
     "{hero} lifted the lantern, and the dark moved back, one step for every step that {hero.he} took"},
    {"the tall pine", "at the very top of the tall pine", "high places",
     "{hero} shook the tree with all {hero.his} strength, but only needles fell down",
     "{hero} climbed up to the first branch, looked down, and felt so dizzy that {hero.he} had to slide back to the "
     "ground",
     "a strong rope", "tie yourself fast, look up, and never count the branches that are below you",
     "{hero} tied the rope around {hero.his} middle, looked only up, and climbed from branch to branch"},
    {"the thorn hedge", "behind the thorn hedge", "sharp thorns",
     "{hero} tried to crawl under the hedge, but the thorns held {hero.his} coat and would not let go",
     "{hero} took a run and tried to jump over it, but the hedge was too high, and {hero.he} landed right in the "
     "middle",
     "a pair of thick gloves", "thorns only scratch those who hurry",
     "{hero} put on the gloves and bent the branches aside, one after the other, without any hurry"},
    {"the steep hill", "on top of the steep hill", "falling",
     "{hero} ran at the hill, but the stones rolled away under {hero.his} feet, and {hero.he} slid back down",
     "{hero} tried to crawl up on hands and knees, but halfway up {hero.he} looked back and could not move at all",
     "a walking stick with an iron tip", "take three steps, rest, and take three more; that is how hills are eaten",
     "{hero} set the stick firmly before each step and rested after every third one, and the hill grew smaller and "
     "smaller"},
    {"the swamp", "in the middle of the swamp", "getting stuck",
     "{hero} put one foot in the mud, and the mud took {hero.his} shoe and gave it back only after a long fight",
     "{hero} threw down dry leaves to walk on, but the leaves sank, and so did {hero.he}, up to the knees",
     "two flat boards", "stand on one board while you lay down the other, and the mud will not even notice you",
     "{hero} stood on one board, laid down the other, stepped over, and so walked through the swamp as if it were a "
     "street"},
    {"the old mill", "in the attic of the old mill", "ghosts",
     "{hero} called through the door, but something inside answered with a long howl, and {hero.he} ran away",
     "{hero} crept up the stairs, but on the third stair something white moved, and {hero.he} was outside again before "
     "{hero.he} had thought about it",
     "a piece of white chalk",
     "go and say good evening to every ghost, and make a mark on each one that is only a sheet",
     "{hero} said good evening to everything that howled; it was only the wind in a pipe, and the white thing was only "
     "an old flour sack, and {hero.he} made a mark on both"}};

constexpr Skill skill_table[] = {
    {"play the fiddle",
     {"an old fiddle", "old fiddle", "fiddle", "four strings", 'n'},
     "the fiddle cried like a cat, and the dog left the room",
     "play one note until it is your friend, and then ask the next one",
     "the village children had gone to pick berries, and they could not find their way home",
     "{hero} stood on the hill and played, and the children followed the song until they saw the lights of the "
     "village"},
    {"beat the drum",
     {"a big drum", "big drum", "drum", "a red rim", 'n'},
     "the drum sounded like potatoes falling down the stairs",
     "listen to your own heart and let your hands do the same",
     "the fishermen were still out on the lake, and they could not see the shore",
     "{hero} stood on the shore and beat the drum, loud and steady, and one boat after the other came home along the "
     "sound"},
    {"ride the bicycle",
     {"an old bicycle", "old bicycle", "bicycle", "a basket in front", 'n'},
     "the bicycle went straight into the pond",
     "do not look at the wheel; look at the place where you want to be",
     "the baker's baby was ill, and the doctor lived far away",
     "{hero} rode through the village, over the bridge and up the hill, and brought the doctor back before night"},
    {"juggle",
     {"a box of juggling balls", "juggling balls", "balls", "red and green stripes", 'p'},
     "the first ball fell into the soup and the second one hit the clock",
     "throw one ball until you could do it asleep, and only then take the second",
     "the miller's son had not laughed since he broke his leg",
     "{hero} stood in front of the boy's window and juggled until a small laugh came out of it, and then a big one"},
    {"blow the horn",
     {"a hunting horn", "hunting horn", "horn", "a silver ring", 'n'},
     "only a sad little burp came out",
     "do not blow with your cheeks; blow with your belly, and think of something far away",
     "smoke was coming from the barn, and everybody was in the fields",
     "{hero} blew the horn so loudly that all the people heard it and came running with buckets, and the barn was "
     "saved"},
    {"fly the kite",
     {"a big kite", "big kite", "kite", "a tail of paper bows", 'n'},
     "the kite dived into the mud like a duck",
     "wait for the wind, and give it string when it asks for some",
     "the bridge was broken, and nobody could bring a rope to the other side",
     "{hero} flew the kite across the river with a thin string; a thick rope was tied to the string, and soon there "
     "was a new bridge"},
    {"walk on stilts",
     {"a pair of wooden stilts", "wooden stilts", "stilts", "blue steps", 'p'},
     "the stilts went left and right at the same time",
     "small steps and a quiet head, and never stand still",
     "the stream had flooded the street, and the old weaver sat on her roof without her supper",
     "{hero} walked on the stilts through the water, straight to the roof, with a pot of soup around {hero.his} neck"}};

}  // namespace

std::span<const Thing> treasures() { return treasure_table; }
std::span<const Thing> fragile() { return fragile_table; }
std::span<const Thing> for_two() { return for_two_table; }
std::span<const Thing> presents() { return present_table; }
std::span<const Thing> prizes() { return prize_table; }
std::span<const Thing> signals() { return signal_table; }
std::span<const Thing> thrown() { return thrown_table; }
std::span<const Obstacle> obstacles() { return obstacle_table; }
std::span<const Skill> skills() { return skill_table; }

}  // namespace rgm::stories
