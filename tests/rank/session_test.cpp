// session_test.cpp - samples, and what raters say of them: what is kept, taken back, shown, and told of.
#include "rank/session.hpp"

#include <algorithm>
#include <set>
#include <thread>

#include "rank/rankings.hpp"

namespace rgm::rank {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(RankTest, RowsOfOnePromptBelongTogether) {
  write("rows.jsonl",
        "{\"prompt\": \"p\", \"text\": \"a\"}\n{\"prompt\": \"q\", \"text\": \"c\"}\n"
        "{\"prompt\": \"p\", \"text\": \"b\"}\n{\"prompt\": \"q\", \"text\": \"d\"}\n");
  const Samples samples = read_samples(folder_ / "rows.jsonl");
  ASSERT_EQ(samples.items.size(), 2U);
  EXPECT_EQ(samples.items[0].prompt, "p");
  EXPECT_THAT(samples.items[0].answers, ElementsAre("a", "b"));
  EXPECT_THAT(samples.items[1].answers, ElementsAre("c", "d"));
}

TEST_F(RankTest, SamplesThatCannotBeRankedAreToldWithTheirLine) {
  const auto told = [&](const std::string& rows) {
    write("rows.jsonl", rows);
    return failure_of([&] { read_samples(folder_ / "rows.jsonl"); });
  };
  EXPECT_THAT(told("{\"prompt\": \"p\", \"responses\": [\"a\", \"b\"]}\n{\"prompt\": \"q\", \"responses\": [\"a\"]}\n"),
              HasSubstr("rows.jsonl:2: its prompt has only one answer"));
  EXPECT_THAT(told("{\"prompt\": \"p\", \"responses\": [\"a\", 3]}\n"), HasSubstr("has 3 in it"));
  EXPECT_THAT(told("{\"text\": \"a\"}\n"), HasSubstr("rows.jsonl:1: \"prompt\" is missing, or is not text"));
  EXPECT_THAT(told("{\"prompt\": \n"), HasSubstr("rows.jsonl:1"));
}

TEST_F(RankTest, WhatIsSavedIsThereForWhoeverOpensItNext) {
  {
    Session session(options());
    session.save("ada", 0, {{2, 1, 2}, "close"});
    session.save("ada", 1, {{1, 2}, "", /*draft=*/true});
  }
  Session session(options());
  EXPECT_EQ(session.next("ada"), 1U) << "a draft does not count";
  EXPECT_FALSE(session.judgement("ada", 1).has_value());
  EXPECT_EQ(session.item("ada", 1)["judged"], false);
  EXPECT_THAT(session.item("ada", 1)["order"], ElementsAre(0, 1)) << "but it is there";
  EXPECT_EQ(out(),
            "{\"prompt\":\"p\",\"responses\":[\"one\",\"two\",\"three\"],\"ranks\":[2,1,2],\"rater\":\"ada\",\"note\":"
            "\"close\"}\n");
  session.save("ada", 1, {{}, ""});
  EXPECT_FALSE(session.next("ada").has_value());
  EXPECT_EQ(session.state("ada")["skipped"], 1);
  EXPECT_EQ(std::ranges::count(out(), '\n'), 1) << "what was skipped is no ranking";
}

// A step that comes late, behind the judgement of what it was a step to.
TEST_F(RankTest, ADraftDoesNotTakeAJudgementsPlace) {
  Session session(options());
  session.save("ada", 1, {{1, 2}, ""});
  session.save("ada", 1, {{2, 1}, "", /*draft=*/true});
  EXPECT_THAT(session.judgement("ada", 1)->ranks, ElementsAre(1, 2));
  EXPECT_EQ(session.item("ada", 1)["judged"], true);
  EXPECT_THAT(session.item("ada", 1)["order"], ElementsAre(1, 0)) << "the page goes on with the step";
  session.save("ada", 0, {{1, 2, 3}, ""});
  EXPECT_THAT(out(), HasSubstr("\"ranks\":[1,2],"));
  EXPECT_FALSE(session.next("ada").has_value());
}

TEST_F(RankTest, TheFileIsWhatWasSaidFromTheStart) {
  Session session(options());
  EXPECT_EQ(out(), "") << "nothing was said yet";
  session.save("ada", 0, {{1, 2, 3}, ""});
  const std::string whole = out();
  write("out.jsonl", "");  // as a program leaves it that is killed between saving and writing
  Session again(options());
  EXPECT_EQ(out(), whole);
}

// Each with a program, and so a connection, of its own: whoever writes last has read what all others saved.
TEST_F(RankTest, RatersWhoSaveAtOnceLoseNothing) {
  std::string samples;
  for (int i = 0; i < 8; ++i)
    samples += R"({"prompt": ")" + std::to_string(i) +
               R"(", "responses": ["a", "b"]})"
               "\n";
  write("samples.jsonl", samples);
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 4; ++i) sessions.push_back(std::make_unique<Session>(options()));
  std::vector<std::thread> raters;
  for (size_t i = 0; i < sessions.size(); ++i)
    raters.emplace_back([&, i] {
      for (size_t item = 0; item < 8; ++item) {
        sessions[i]->save("rater " + std::to_string(i), item, {{1, 2}, ""});
        const std::string all = out();
        size_t own = 0;
        for (size_t at = 0; (at = all.find("rater " + std::to_string(i), at)) != all.npos; ++at) ++own;
        EXPECT_EQ(own, item + 1) << "what was saved is in the file at once";
      }
    });
  for (std::thread& rater : raters) rater.join();
  EXPECT_EQ(std::ranges::count(out(), '\n'), 4 * 8);
}

TEST_F(RankTest, ARaterHasAName) {
  EXPECT_THAT(failure_of([] { check_rater(" \t"); }), HasSubstr("name is blank"));
  EXPECT_EQ(failure_of([] { check_rater(std::string(100, 'a')); }), "");
  std::string long_name;
  for (int i = 0; i < 40; ++i) long_name += "\u6c34";  // three bytes each
  EXPECT_THAT(failure_of([&] { check_rater(long_name); }), HasSubstr("it has 120 bytes of at most 100"));
}

TEST_F(RankTest, UndoTakesTheLastStepBack) {
  Session session(options());
  session.save("ada", 0, {{1, 2, 3}, ""});
  session.save("ada", 0, {{3, 2, 1}, ""});
  EXPECT_EQ(session.undo("ada"), 0U);
  EXPECT_THAT(session.judgement("ada", 0)->ranks, ElementsAre(1, 2, 3));
  EXPECT_THAT(out(), HasSubstr("\"ranks\":[1,2,3]"));
  EXPECT_EQ(session.undo("ada"), 0U);
  EXPECT_EQ(out(), "");
  EXPECT_FALSE(session.undo("ada").has_value());
}

TEST_F(RankTest, RatersAreToldHowFarTheyAgree) {
  Session session(options());
  session.save("ada", 0, {{1, 2, 3}, ""});
  session.save("bo", 0, {{3, 2, 1}, ""});
  session.save("ada", 1, {{1, 2}, ""});
  session.save("bo", 1, {{1, 2}, ""});
  const auto state = session.state("ada");
  ASSERT_EQ(state["agreement"].size(), 1U);
  EXPECT_EQ(state["agreement"][0]["items"], 2);
  EXPECT_EQ(state["agreement"][0]["tau"], 0);  // -1 and 1
  EXPECT_EQ(std::ranges::count(out(), '\n'), 4);
}

TEST_F(RankTest, BlindRatersSeeAnOrderOfTheirOwnAndNoSources) {
  EXPECT_EQ(Session(options()).item("ada", 0)["answers"][0]["source"], "small");
  fs::remove(folder_ / "out.jsonl.sqlite");
  fs::remove(folder_ / "out.jsonl");
  Session session(options(/*blind=*/true));
  std::set<std::vector<size_t>> orders;
  for (const char* rater : {"ada", "bo", "cy", "di", "ed", "flo"}) {
    orders.insert(session.shown(rater, 0));
    EXPECT_EQ(session.shown(rater, 0), session.shown(rater, 0));
    EXPECT_FALSE(session.item(rater, 0)["answers"][0].contains("source"));
  }
  EXPECT_GT(orders.size(), 1U);
}

TEST_F(RankTest, FilesOfOtherSamplesAreLeftAlone) {
  { Session session(options()); }
  write("samples.jsonl", "{\"prompt\": \"p\", \"responses\": [\"one\", \"other\"]}\n");
  EXPECT_THAT(failure_of([&] { Session session(options()); }), HasSubstr("holds rankings of other samples"));
  write("mine.jsonl", "precious\n");
  SessionOptions other = options();
  other.out = folder_ / "mine.jsonl";
  EXPECT_THAT(failure_of([&] { Session session(other); }), HasSubstr("was not made by `regimen rank`"));
  EXPECT_EQ(read_file(folder_ / "mine.jsonl"), "precious\n");
}

}  // namespace
}  // namespace rgm::rank
