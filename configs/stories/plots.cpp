// plots.cpp - eight story lines. The first paragraph and the last name the hero and the object.
#include "stories/plots.hpp"

namespace rgm::stories {
namespace {

constexpr std::string_view lost[] = {
    "{opening} {owns}",
    "{morning} {hero} looked for {the object}, and {object.it} {object.was} gone. [{hero.he} looked under the bed, "
    "behind the stove and even in the flour|{hero.he} turned the whole house upside down|{hero.he} emptied every "
    "drawer and every basket], but {the object} {object.was} nowhere. {sad}",
    "\"[Crying finds nothing|Tears are good, but feet are better|What is lost must be somewhere],\" said {hero.his} "
    "{giver}. \"[Go and ask|Go out and look|Follow your nose], {hero}.\" {walk}",
    "{greet} {ask} \"[Have you seen {object.a}|I have lost {object.a}. Did you see {object.them}|I am looking for "
    "{object.a}. Do you know where {object.it} {object.is}]?\" [|The {helper} thought for a moment. ]\"[A magpie "
    "carried something like that away this morning|I saw a naughty crow with {object.a} in its claws|A gust of wind "
    "rolled something past me before breakfast],\" said the {helper} {helper.voice}. \"You will find {object.them} "
    "{obstacle.beyond}.\"",
    "So {hero} came to {obstacle.place}. {fearful} {obstacle.first_try}. [After a rest, {hero.he} tried again|{hero} "
    "did not give up so quickly|\"Once more,\" said {hero}]. {obstacle.second_try}.",
    "[Just then|At that moment|While {hero} was thinking about it], {friendly}, came along the path with "
    "{obstacle.tool}. \"[You cannot do that with bare hands,|Why did you not ask me?|My {giver} taught me a trick for "
    "this,]\" said {friend}. \"[Remember|Listen]: {obstacle.advice}.\" {brave} {obstacle.success}.",
    "And there, {obstacle.beyond}, {the object} lay, [as if {object.it} had been waiting|a little dirty but whole|safe "
    "and sound]. {hero} [laughed out loud|hugged {object.them} tightly|shouted for joy]. \"[We did it|I have found "
    "{object.them}|Look, {friend}],\" {hero.he} cried.",
    "[{hero} and {friend} went home arm in arm|{hero} ran all the way home, and {friend} ran beside {hero.him}]. "
    "{evening} {changed}, and {hero.he} never forgot that [{moral.help}|{moral.brave}]. {the object} {object.was} "
    "[never left behind again|beside {hero.his} bed that night, where {object.it} belonged|washed and brushed and put "
    "in the best place of the house]."};

constexpr std::string_view skill[] = {
    "{opening} [{hero.his} {giver} gave {hero.him} {object.a} with {object.look}|In the attic {hero} found {object.a} "
    "with {object.look}|A traveller had left {object.a} with {object.look} at their door], and [from that hour|ever "
    "since] {hero} had only one wish: {hero.he} wanted to {skill}.",
    "{morning} {hero} tried it for the first time. {hero.he} held {the object} as well as {hero.he} could, but "
    "{skill.failure}. [Everybody laughed|The neighbours closed their windows|Even the hens ran away], and {friend}, {a "
    "friend.kind} from next door, said, \"[You will never {skill}|Some people can {skill}, and some cannot|Nobody "
    "{skill.third} like that], {hero}.\" {sad}",
    "On the second day {hero} tried again, and on the third, and on the fourth. [Every time {skill.failure}|It was "
    "always the same: {skill.failure}]. \"[I am too small|I shall never learn it|Perhaps {friend} is right],\" thought "
    "{hero}, and {hero.he} wanted to throw {the object} away.",
    "But {hero.his} {giver} had heard everything. \"Go to the {helper},\" {giver.he} said. \"[Nobody {skill.third} "
    "better|Long ago, {helper.he} could {skill} better than anyone].\" {walk} The {helper} was {helper.work.ing}. "
    "{ask} \"[I want to {skill}, and I cannot|I would so much like to {skill}, but everybody laughs at me],\" said "
    "{hero}.",
    "\"So you want to {skill},\" said the {helper} {helper.voice}. \"[Then listen|It is simple, but it is not easy|I "
    "will tell you a secret]: {skill.lesson}.\" {thanks} After that {hero} practised every day, [before breakfast and "
    "after supper|behind the barn, where nobody could hear|until the moon came up]. [Week after week went by|It took a "
    "long time], and slowly, very slowly, {hero} learned to {skill}.",
    "Then, one evening, something happened. {skill.need}. [People ran here and there and did not know what to "
    "do|\"What shall we do?\" people asked each other|Even the {helper} had no answer]. \"I know what to do!\" cried "
    "{hero}, and took {the object}. {skill.deed}.",
    "\"[I was wrong|I am sorry that I laughed],\" said {friend}. \"[Nobody {skill.third} as well as you do|You can "
    "{skill} better than anyone I know]. Will you teach me?\" \"[Of course|Gladly],\" said {hero}. "
    "\"{moral.practice}.\"",
    "{evening} {changed}. {the object} [hung over the bed|stood beside the bed|had a place of honour near the stove], "
    "and whenever someone said, \"I cannot do it,\" {hero} [pointed at {object.them} and smiled.|answered, \"Not "
    "yet.\"|told the story from the beginning.]"};

constexpr std::string_view broken[] = {
    "{opening} On the shelf in the kitchen stood something that {hero} was not allowed to touch: {object.a} with "
    "{object.look}. {the object} belonged to {hero.his} {giver}, who loved {object.them} more than anything else in "
    "the house.",
    "{morning} {hero} was alone at home. \"I will only look at {object.them},\" {hero.he} thought, \"[and I will be "
    "very careful|just once, and from near by].\" {hero.he} climbed on a chair and took {the object} in both hands. "
    "But [the cat jumped up|the door banged|the chair moved], {hero} was startled, and {the object} fell on the floor "
    "with a crash. [There was a long silence|The whole house held its breath].",
    "[{hero} turned hot and cold|{hero}'s heart almost stopped]. {hero.he} swept up the pieces and hid them [under the "
    "bed|in an old boot|behind the woodpile]. When {hero.his} {giver} came home, {giver.he} asked, \"Where {object.is} "
    "my {object.noun}?\" \"[I do not know|Perhaps the cat took {object.them}|I have not seen {object.them}],\" said "
    "{hero}, and {hero.his} ears turned red.",
    "That night {hero} could not sleep. [The hidden pieces seemed to whisper|The lie lay in {hero.his} stomach like a "
    "stone|Every time the wind knocked at the window, {hero.he} thought that somebody knew]. The next day {hero.he} "
    "told {friend}, {hero.his} friend. \"[Say nothing|If you wait long enough, people forget],\" said {friend}, but "
    "that did not help: {hero} felt worse and worse.",
    "At last {hero} took the pieces and went to the {helper}. {walk} The {helper} was {helper.work.ing}. {ask} \"I "
    "broke {object.a}, and then I lied about it. Can you mend {object.them}?\" \"[The {object.noun} can be mended with "
    "glue|With glue and a little time I can mend the {object.noun}],\" said the {helper} {helper.voice}, \"but the lie "
    "you must mend yourself.\"",
    "{hero} knew that this was true. [With slow steps|With a beating heart] {hero.he} went home. \"{giver},\" "
    "{hero.he} said, \"[I must tell you something. I broke your {object.noun}|it was me. I dropped your "
    "{object.noun}|I did a bad thing. I broke your {object.noun}], and I did not tell you the truth. I am so sorry.\" "
    "{hero.his} {giver} was quiet for a while. Then {giver.he} took {hero} in {giver.his} arms. \"[I was sad about the "
    "{object.noun},\" {giver.he} said, \"but I was sadder about the lie|{a object.noun.one} can break,\" {giver.he} "
    "said, \"but your word must not]. Now both are whole again.\"",
    "Together they went to the {helper}, and [piece by piece|bit by bit] they glued {the object} together. It took the "
    "whole afternoon. [One fine line could still be seen|A small crack remained, as thin as a hair], and {hero.his} "
    "{giver} said that {giver.he} liked {object.them} even better that way.",
    "{evening} {changed}. {the object} stood on the shelf again, and when {hero} saw the thin line, {hero.he} "
    "remembered that {moral.truth}."};

constexpr std::string_view quarrel[] = {
    "{opening} {hero.his} best friend was {friend}, {a friend.kind}, and the two did everything together until they "
    "found {object.a} with {object.look}.",
    "{morning} they were walking by the lake, and there {the object} lay beside the path. \"[I saw {object.them} "
    "first|The {object.noun} {object.is} mine],\" cried {hero}. \"No, [I touched {object.them} first|{object.it} "
    "{object.is} mine],\" cried {friend}. They pulled at {object.them} from both sides [until their faces were red|and "
    "called each other names that they did not mean]. In the end {friend} went home in anger, and {hero} kept {the "
    "object}.",
    "But {the object} {object.was} no fun for one alone. {hero} tried to use {object.them} in the morning, and "
    "[{object.it} was much too heavy|{object.it} would not move]. {hero.he} tried again at noon, and [fell on "
    "{hero.his} nose|pinched {hero.his} fingers]. [\"It is not fair,\" {hero.he} said, but there was nobody to hear "
    "it|There was nobody to laugh with about it].",
    "{friend} was not happy either. [{friend.he} played alone with three stones|{friend.he} sat at the window and drew "
    "circles on the glass]. {sad} \"It is only {a object.noun.one},\" said {hero.his} {giver}, who had seen it all, "
    "\"[and a friend is a friend|but there is only one {friend} in the world].\"",
    "Then {hero} met the {helper}, who was {helper.work.ing}. {ask} \"[I have {object.a}, but I have no friend any "
    "more|We quarrelled about {object.a}, and now I am alone].\" The {helper} looked at {hero.him} for a long time. "
    "\"[Look at it closely: {object.look}|What do you see? {object.look}],\" said the {helper} {helper.voice}. \"Do "
    "you think that it was made for one?\"",
    "{hero} understood. {walk} When {hero.he} came to the house of {friend}, the door opened before {hero.he} could "
    "knock, for {friend} was just about to come to {hero.him}. \"[I am sorry|I was silly],\" they said at the same "
    "time, and then they had to laugh. \"[Let us share {object.them}|{object.it} shall belong to both of us],\" said "
    "{hero}. \"[You on one side, and I on the other|You in the morning and I in the evening, or always together],\" "
    "said {friend}.",
    "So they took {the object} between them, [and now everything was easy|and what had been too hard for one was easy "
    "for two]. They [laughed until their sides hurt|did not stop until it was dark|took even the {helper} along].",
    "{evening} {changed}. {hero} and {friend} still quarrelled now and then, as friends do, but never again about {the "
    "object}, for they had learned that {moral.share}."};

constexpr std::string_view gift[] = {
    "{opening} Soon {hero.his} {giver} would have a birthday, and {hero} wished to give {giver.him} {object.a} with "
    "{object.look}, which {hero.he} had seen in the window of the shop.",
    "{morning} {hero} went to the shop and put all {hero.his} money on the table. It was three small coins. \"[That is "
    "not enough|For that you can look at {object.them}, but not buy {object.them}],\" said the shopkeeper, \"but I "
    "will tell you something. [I have wanted|My wife has wanted] {trade.first.has} for a long time. Bring me that, and "
    "{the object} {object.is} yours.\"",
    "{hero} knew who had {trade.first.has}: it was the {trade.first}. {walk} \"Please,\" said {hero}, \"may I have "
    "{trade.first.has}?\" \"[Gladly|Why not],\" said the {trade.first}, \"but nothing is free. [I am hungry for|I "
    "would love to have] {trade.second.has}. Bring me that first.\"",
    "So {hero} went on to the {trade.second}, who [listened and nodded|scratched {trade.second.his} head]. \"You may "
    "have {trade.second.has},\" said the {trade.second}, \"if you {trade.second.wants} for me. [I am getting old|I "
    "have no time today|My back hurts].\" {hero} [rolled up {hero.his} sleeves|looked at the long day before "
    "{hero.him} and sighed] and began to {trade.second.wants}.",
    "It was hard work. [Twice {hero} wanted to give up|After an hour {hero.his} arms hurt, and after two hours "
    "everything hurt], and {friend}, {a friend.kind} who came by, called, \"Come and play with me!\" \"[I cannot|Not "
    "today],\" answered {hero}. \"I must {trade.second.wants}, because I want {object.a} for my {giver}.\" [{friend} "
    "thought about that, and then {friend.he} put down {friend.his} bag and helped|When {friend} heard this, "
    "{friend.he} stayed and helped, and with two it went twice as fast].",
    "In the evening the work was done. {hero} got {trade.second.has} and carried it carefully to the {trade.first}. "
    "[The {trade.first} was so pleased that {trade.first.he} danced|\"That is just what I wanted,\" said the "
    "{trade.first}], and gave {hero} {trade.first.has}. With that {hero} ran to the shop, [just before it "
    "closed|though it was already dark], and the shopkeeper kept his word.",
    "On the morning of the birthday {hero} put {the object} on the table, wrapped in paper. \"[For me|What is this]?\" "
    "asked {hero.his} {giver}, and [opened the paper slowly|had tears in {giver.his} eyes]. \"How could you buy "
    "{object.them} with three coins?\" Then {hero} told the story of the {trade.first} and the {trade.second}, and how "
    "{friend} had helped to {trade.second.wants}.",
    "{evening} {changed}. {hero.his} {giver} used {the object} every day, and [always said|told every guest] that "
    "{moral.gift}. {hero} only smiled."};

constexpr std::string_view contest[] = {
    "{opening} Every year there was a {contest} in {village}, and the prize was {object.a} with {object.look}. {hero} "
    "wanted to win {the object} more than anything in the world.",
    "For weeks {hero} practised, [in the morning before the birds were awake|until {hero.his} shoes had holes]. \"[You "
    "will win|Nobody is as fast as you],\" said {hero.his} {giver}. But {friend}, {a friend.kind}, who was [the "
    "fastest of all|very fast too], laughed. \"[I will be there before you|The {object.noun} will be mine], {hero}.\"",
    "{morning} the {contest} began. [The whole village had come|Flags hung from all the windows]. The drum sounded, "
    "and off they went. At first {friend} was in front, but then {hero} came nearer and nearer, though "
    "{weather.going}. [Halfway to the goal|At the last bend] {hero} was the first. [\"I can almost see {the object},\" "
    "{hero.he} thought|{hero.he} could already see {the object} shining in the distance].",
    "Then {hero} heard a weak cry. By the side of the way {a helper} had fallen into a ditch and could not get out. "
    "\"Help me,\" called the {helper}. {hero} looked ahead, where the goal was, and {hero.he} looked back, where "
    "{friend} was coming. [It was a hard moment|{hero.his} feet wanted to run on, but {hero.his} heart did not].",
    "{hero} stopped. {hero.he} knelt down, [pulled with all {hero.his} strength|held out a branch], and slipped; "
    "{hero.he} tried again, and slipped again. At that moment {friend} [ran past without a look.|ran past and shouted, "
    "\"I am winning!\"] Only at the third try did {hero} bring the {helper} out of the ditch. \"[You have lost the "
    "race because of me|Run, child, perhaps it is not too late],\" said the {helper}. \"[A race comes every year|That "
    "does not matter],\" said {hero}. \"Lean on me.\"",
    "So {hero} came in last, slowly, with the {helper} on {hero.his} arm. {friend} already stood there with {the "
    "object}, [but nobody was cheering|and was very proud]. Then the {helper} told everyone what had happened. [It "
    "became very quiet|People looked at each other]. {friend} turned red, went up to {hero}, and said, \"[I heard the "
    "cry too|I heard it, and I ran on]. You are the one who has won. {the object} {object.is} yours.\"",
    "\"[No|Wait],\" said {hero}, \"you were faster, and that is true. [Let {object.them} stand in your house this "
    "year, and in mine the next|Let us put {object.them} in the middle of the village, where everybody can see "
    "{object.them}].\" And [everyone clapped their hands|now the cheering began, and it did not end for a long time], "
    "and the {helper} laughed the loudest.",
    "{evening} {changed}. And if you ask {friend} about {the object}, {friend.he} will tell you about {hero}, and that "
    "{moral.kind}."};

constexpr std::string_view stranger[] = {
    "{opening} {owns}",
    "At the end of the street was a high wall, and behind the wall lived {a helper}. [Nobody had ever talked to "
    "{helper.him}|Terrible things were said about {helper.him}]. \"[{helper.he} eats children for "
    "breakfast|{helper.he} turns people into stones|{helper.he} hates everyone],\" said {friend}, {a friend.kind} who "
    "thought that {friend.he} knew everything.",
    "{morning} {hero} and {friend} were playing with {the object}. {hero} threw {object.them} high, [higher than ever "
    "before|much too high], and [before they could catch {object.them}|while they were still laughing], {the object} "
    "flew over the wall. [They heard a soft thud|Then it was still]. \"[Now {object.it} {object.is} gone for ever|That "
    "is the end of it],\" whispered {friend}. {sad}",
    "First they tried to look over the wall, and {friend} stood on the shoulders of {hero}, but [the wall was too "
    "high|both of them fell into the nettles]. Then they tried to catch {the object} with a fishing line, but they "
    "caught only an old hat. \"[I am going home|This is too dangerous for me],\" said {friend}, and was gone.",
    "{hero} stood alone before the gate. {hero.he} was afraid, but {hero.he} [thought of {the object},|said to "
    "{hero.himself}, \"Perhaps none of it is true,\"] and knocked. Slow steps came nearer. The gate opened, and there "
    "stood the {helper}. \"[Good day|Excuse me],\" said {hero} in a small voice. \"My {object.noun} flew over your "
    "wall. May I have {object.them} back, please?\"",
    "The {helper} [looked at {hero.him} with big eyes|said nothing for a while]. \"You are the first to knock in seven "
    "years,\" said the {helper} {helper.voice}. \"[I thought that nobody here liked me|I thought that everybody was "
    "angry with me]. Come in. I was just {helper.work.ing}, but there is [warm bread|apple cake|cherry soup] in the "
    "kitchen.\" And on the table {the object} lay, clean and whole.",
    "{hero} stayed until the evening. The {helper} [knew a hundred stories|could do magic with three nuts|knew the "
    "names of all the stars] and [did not hate anyone|ate nothing for breakfast but bread and plums]. The next day "
    "{hero} took {friend} by the hand and brought {friend.him} along. {friend} was [pale|trembling] at the gate, but "
    "after the second piece of cake {friend.he} asked, \"[May we come back tomorrow|Who told me all that nonsense]?\"",
    "{changed}, and {hero.he} often said that {moral.stranger}. {evening} And {the object}? Sometimes {hero} threw "
    "{object.them} over the wall on purpose, so that the {helper} could throw {object.them} back."};

constexpr std::string_view rescue[] = {
    "{opening} [{hero.his} {giver} had once given {hero.him} {object.a} with {object.look}|In the hay {hero} had once "
    "found {object.a} with {object.look}]. \"[What is it good for|Who needs such a thing]?\" people asked. [\"One day "
    "we shall see,\" {hero} answered|{hero} did not know either, but {hero.he} was fond of {the object}].",
    "{morning} {friend}, {a friend.kind} from the same street, went into the woods [to look for nuts|to pick "
    "mushrooms|to find a feather]. Noon came, and {friend.he} was not back. The afternoon came, and {friend.he} was "
    "still not back. \"[Something must have happened|I am worried],\" said {hero}, and took {the object} from the "
    "hook. {walk}",
    "{hero} called the name of {friend} until {hero.his} voice was gone, but only the echo answered. Then {hero.he} "
    "looked for footprints, but [there were too many of them|they ended at a stream]. {greet} {ask} \"[My friend is "
    "lost|I am looking for {friend}].\" \"I heard somebody cry,\" said the {helper} {helper.voice}. \"It came from "
    "{obstacle.place}.\"",
    "When {hero} came to {obstacle.place}, {hero.he} heard it too: a thin voice, {obstacle.beyond}. \"{hero}, I am "
    "here! [I have hurt my foot|I cannot find the way back]!\" {fearful} {obstacle.first_try}.",
    "\"[Wait, help will come|Do not be afraid, I am with you],\" called {hero}. But who would hear {hero.him}? Then "
    "{hero.he} thought of {the object}. {hero.he} {object.use}, [again and again|and did not stop, though {hero.his} "
    "arms ached]. For a long time nothing happened. [The light began to go|It grew colder].",
    "But far away in the village somebody [{object.sense} it|looked up and wondered]. {hero.his} {giver} came running, "
    "and with {giver.him} came the {helper}, who brought {obstacle.tool}. \"[Listen|Now remember], {hero},\" said "
    "{hero.his} {giver}, \"{obstacle.advice}.\" {brave} {obstacle.success}.",
    "And there was {friend}, cold and hungry but alive. \"[I knew that you would come|I {object.sense} your "
    "{object.noun}, and then I was not afraid any more],\" said {friend}, [and laughed and cried at once|and would not "
    "let go of {hero.his} hand]. Together they went home, slowly, step by step.",
    "{evening} {changed}. Nobody asked any more what {the object} {object.was} good for. {the object} hung on its hook "
    "by the door, and {hero} knew that {moral.brave}."};

std::span<const Thing> none() { return {}; }

constexpr Plot plot_table[] = {{"lost", treasures, lost},      {"skill", none, skill},     {"broken", fragile, broken},
                               {"quarrel", for_two, quarrel},  {"gift", presents, gift},   {"contest", prizes, contest},
                               {"stranger", thrown, stranger}, {"rescue", signals, rescue}};

}  // namespace

std::span<const Plot> plots() { return plot_table; }

}  // namespace rgm::stories
